"""Tests of script/deploy with a stand-in for kubectl that records its arguments. Only kustomize is real. script/test-pods tests
the manifests in pods."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).parents[3]

# Prints the output of the first entry in answers.json whose words are all among the arguments.
KUBECTL = """#!/usr/bin/env python3
import json, os, pathlib, sys
if sys.argv[1] == "kustomize":
    words = os.environ["KUSTOMIZE"].split()
    os.execvp(words[0], words + sys.argv[2:])
home = pathlib.Path(__file__).parent
given = "" if sys.stdin.isatty() or "apply" not in sys.argv else sys.stdin.read()
with open(home / "calls.jsonl", "a") as calls:
    calls.write(json.dumps({"arguments": sys.argv[1:], "stdin": given}) + "\\n")
for words, output, status in json.loads((home / "answers.json").read_text()):
    if set(words.split()) <= set(sys.argv[1:]):
        print(output, end="", file=sys.stderr if status else sys.stdout)
        sys.exit(status)
"""

READY = [
    ["get secret", "", 1],
    ["get deployment,statefulset", "deployment.apps/item\nstatefulset.apps/postgresql\n", 0],
    ["get nodes", "192.0.2.7", 0],
    ["get service ingress", "30001", 0],
    ["get service", "30002", 0],
]


class Deploy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "kubectl").write_text(KUBECTL)
        (self.home / "kubectl").chmod(0o755)

    def deploy(self, *arguments, answers=()):
        (self.home / "answers.json").write_text(json.dumps([*answers, *READY]))
        (self.home / "calls.jsonl").write_text("")
        environment = os.environ | {"PATH": f"{self.home}:{os.environ['PATH']}"}
        done = subprocess.run(
            [ROOT / "script/deploy", "--certs", self.home / "certs", *arguments],
            env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
        )
        self.calls = [json.loads(line) for line in (self.home / "calls.jsonl").read_text().splitlines()]
        return done

    def applied(self):
        texts = [call["stdin"] for call in self.calls if "apply" in call["arguments"]]
        return [document for text in texts for document in yaml.safe_load_all(text) if document]

    def names(self, kind):
        return sorted(document["metadata"]["name"] for document in self.applied() if document["kind"] == kind)

    def test_applies_secrets_and_then_the_overlay_and_prints_the_urls(self):
        done = self.deploy("--tag", "t1")
        self.assertEqual(done.returncode, 0, done.stderr)
        apps = ["frontend", "ingress", "item", "order", "user"]
        certificates = [f"certificate-{app}" for app in apps]
        self.assertEqual(self.names("Secret"), certificates + ["item-database", "order-database", "user-database"])
        self.assertLess(set(apps), set(self.names("Deployment")))
        kinds = [document["kind"] for document in self.applied()]
        self.assertLess(max(i for i, kind in enumerate(kinds) if kind == "Secret"), kinds.index("Deployment"))
        self.assertIn("http://192.0.2.7:30001", done.stdout)
        for name in "prometheus", "jaeger-query", "grafana":
            self.assertIn(f"minikube service {name}", done.stdout)

    def test_always_names_the_context_and_the_namespace(self):
        self.deploy("--context", "somewhere")
        asked = [c["arguments"] for c in self.calls if c["arguments"][0] != "config"]
        for arguments in asked:
            self.assertEqual(arguments[:4], ["--context", "somewhere", "--namespace", "default"])

    def test_uses_the_images_that_were_built(self):
        self.deploy("--tag", "t1", "--registry", "registry.example.org/shop")
        text = yaml.safe_dump_all(self.applied())
        self.assertIn("image: registry.example.org/shop/item:t1", text)
        self.assertNotIn(":dev", text)

    def test_passes_no_password_as_an_argument(self):
        self.deploy()
        passwords = [d["stringData"]["password"] for d in self.applied() if "password" in d.get("stringData", {})]
        self.assertEqual(len(set(passwords)), 3)
        for call in self.calls:
            for password in passwords:
                self.assertNotIn(password, " ".join(call["arguments"]))

    def test_keeps_existing_passwords_and_certificates(self):
        self.deploy()
        first = [d for d in self.applied() if d["metadata"]["name"] == "certificate-item"]
        self.deploy(answers=[["get secret", "", 0]])
        self.assertEqual([d for d in self.applied() if d["metadata"]["name"] == "certificate-item"], first)
        self.assertNotIn("item-database", self.names("Secret"))

    def test_reports_a_pod_that_does_not_become_ready(self):
        done = self.deploy("--timeout", "1", answers=[
            ["rollout status deployment.apps/item", "timed out waiting for the condition\n", 1],
            ["get pods go-template", "", 0],
            ["get events", "Warning  Failed  cannot pull the image\n", 0],
            ["logs --previous", "the end of the run before\n", 0],
            ["logs", "the last words of php-fpm\n", 0],
            ["get pods wide", "item-1  0/4  ErrImagePull\n", 0],
            ["get pods", "item-1\nitem-1 php-fpm\n", 0],
        ])
        self.assertEqual(done.returncode, 1)
        for words in ["item-1  0/4  ErrImagePull", "cannot pull the image", "the last words of php-fpm",
                      "the end of the run before", "not ready after 1 s: deployment.apps/item"]:
            self.assertIn(words, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_reports_a_cluster_that_does_not_answer(self):
        done = self.deploy(answers=[["get namespace", "connection refused\n", 1]])
        self.assertEqual(done.returncode, 1)
        self.assertIn("the cluster of the context 'minikube' does not answer: connection refused", done.stderr)
        self.assertEqual(self.applied(), [])

    def test_production_needs_a_context_and_the_secrets_of_the_databases(self):
        done = self.deploy("--overlay", "production")
        self.assertIn("needs --context", done.stderr)
        done = self.deploy("--overlay", "production", "--context", "somewhere", answers=[["get secret item-database", "", 0]])
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing in grpc-fcgi-proxy: user-database order-database", done.stderr)
        self.assertEqual(self.names("Deployment"), [])

    def test_deletes_objects_with_its_label_and_nothing_else(self):
        done = self.deploy("--delete")
        self.assertEqual(done.returncode, 0, done.stderr)
        [call] = [c["arguments"] for c in self.calls if "delete" in c["arguments"]]
        self.assertIn("app.kubernetes.io/part-of=grpc-fcgi-proxy", call)
        kinds = set(call[call.index("delete") + 1].split(","))
        self.deploy()
        made = {document["kind"].lower() for document in self.applied()} | {"persistentvolumeclaim"}
        self.assertLessEqual(made, kinds)
        for document in self.applied():
            self.assertEqual(document["metadata"]["labels"]["app.kubernetes.io/part-of"], "grpc-fcgi-proxy")
