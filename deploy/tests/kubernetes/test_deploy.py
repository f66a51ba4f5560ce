"""Tests of script/deploy with a stand-in for kubectl that records its arguments: what it does where a cluster answers in ways that
the test's own cluster does not. Only kustomize is real."""

import base64
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
given = "" if sys.stdin.isatty() or not {"apply", "diff"} & set(sys.argv) else sys.stdin.read()
with open(home / "calls.jsonl", "a") as calls:
    calls.write(json.dumps({"arguments": sys.argv[1:], "stdin": given}) + "\\n")
for words, output, status in json.loads((home / "answers.json").read_text()):
    if set(words.split()) <= set(sys.argv[1:]):
        print(output, end="", file=sys.stderr if status else sys.stdout)
        sys.exit(status)
"""

EXISTING = ["get secret", "secret/existing\n", 0]

READY = [
    ["get secret --ignore-not-found", "", 0],
    ["get secret", "Error from server (NotFound)\n", 1],
    ["get deployment,statefulset", "deployment.apps/item\nstatefulset.apps/postgresql\n", 0],
    ["diff", "", 1],
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

    def deploy(self, *arguments, answers=(), script=ROOT / "script/deploy", certs=True):
        (self.home / "answers.json").write_text(json.dumps([*answers, *READY]))
        (self.home / "calls.jsonl").write_text("")
        environment = os.environ | {"PATH": f"{self.home}:{os.environ['PATH']}"}
        folder = ["--certs", self.home / "certs"] if certs else []
        done = subprocess.run(
            [script, *folder, *arguments],
            env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
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
        self.assertEqual(self.names("Secret"), certificates + ["ingress-key", "item-database", "order-database", "user-database"])
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

    def own_containers(self):
        pods = [document["spec"]["template"]["spec"] for document in self.applied() if document["kind"] == "Deployment"]
        containers = [c for pod in pods for c in pod.get("initContainers", []) + pod["containers"]]
        return {c["image"]: c.get("imagePullPolicy") for c in containers if "/grpc-fcgi-proxy/" in c["image"] or "/shop/" in c["image"]}

    def test_pulls_the_images_from_the_registry_or_not_at_all(self):
        names = ["frontend", "grpc-fcgi-proxy", "item", "load", "order", "user"]
        self.deploy("--tag", "t1")
        self.assertEqual(self.own_containers(), {f"localhost/grpc-fcgi-proxy/{name}:t1": "Never" for name in names})
        self.deploy("--tag", "t1", "--registry", "registry.example.org/shop")
        self.assertEqual(self.own_containers(), {f"registry.example.org/shop/{name}:t1": None for name in names})

    def test_leaves_out_budgets_that_have_not_changed(self):
        self.deploy()
        self.assertEqual(self.names("PodDisruptionBudget"), ["frontend", "ingress", "item", "order", "user"])
        count = len(self.applied())
        self.deploy(answers=[["diff", "", 0]])
        self.assertEqual(self.names("PodDisruptionBudget"), [])
        self.assertEqual(len(self.applied()), count - 5)

    def test_applies_binary_files_as_the_api_returns_them(self):
        self.deploy()
        files = {name: text for document in self.applied() for name, text in document.get("binaryData", {}).items()}
        shop = (ROOT / "deploy/envoy/ingress/shop.binpb").read_bytes()
        self.assertEqual(files, {"shop.binpb": base64.b64encode(shop).decode()})

    def test_passes_no_password_as_an_argument(self):
        self.deploy()
        secrets = [d["stringData"] for d in self.applied() if "stringData" in d]
        passwords = [secret.get("password") or secret["key"] for secret in secrets]
        self.assertEqual(len(set(passwords)), 4)
        for call in self.calls:
            for password in passwords:
                self.assertNotIn(password, " ".join(call["arguments"]))

    def test_prints_the_key_of_the_ingress_when_it_makes_it_and_never_again(self):
        done = self.deploy()
        [secret] = [d["stringData"] for d in self.applied() if d["metadata"]["name"] == "ingress-key"]
        self.assertRegex(secret["key"], "^[0-9a-f]{64}$")
        self.assertEqual(done.stderr.count(secret["key"]), 1)
        self.assertNotIn(secret["key"], done.stdout)
        [resource] = yaml.safe_load(secret["keys.yaml"])["resources"]
        self.assertEqual([c["key"] for c in resource["typed_config"]["credentials"]], [secret["key"]])
        done = self.deploy(answers=[EXISTING])
        self.assertNotIn("a key for clients", done.stderr)
        self.assertEqual(self.names("Secret"), [f"certificate-{app}" for app in ["frontend", "ingress", "item", "order", "user"]])

    def test_replaces_no_secret_of_which_the_cluster_says_nothing(self):
        for name in "item-database", "ingress-key":
            done = self.deploy(answers=[[f"get secret {name}", "Unable to connect: timeout\n", 1], EXISTING])
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"Unable to connect: timeout\ndeploy: cannot see whether the Secret {name} exists", done.stderr)
            self.assertEqual([n for n in self.names("Secret") if not n.startswith("certificate-")], [])
            self.assertEqual(self.names("Deployment"), [])

    def test_keeps_existing_passwords_and_certificates(self):
        self.deploy()
        first = [d for d in self.applied() if d["metadata"]["name"] == "certificate-item"]
        self.deploy(answers=[EXISTING])
        self.assertEqual([d for d in self.applied() if d["metadata"]["name"] == "certificate-item"], first)
        self.assertNotIn("item-database", self.names("Secret"))

    def test_reports_in_one_line_what_is_wrong_with_each_pod_and_then_the_details(self):
        done = self.deploy("--timeout", "1", answers=[
            ["rollout status deployment.apps/item", "timed out waiting for the condition\n", 1],
            ["get events involvedObject.name=item-1", "the events of item-1\n", 0],
            ["get events involvedObject.name=user-1", "the events of user-1\n", 0],
            ["logs --previous", "the end of the run before\n", 0],
            ["logs", "the last words\n", 0],
            ["get pods", (
                'pod|item-1|\n'
                'container|statsd-exporter|s:1|waiting|PodInitializing||\n'
                'container|php-fpm|localhost/item:t1|waiting|ImagePullBackOff||"Back-off \\"item\\": not found"\n'
                'pod|user-1|\n'
                'container|user|u:1|waiting|CrashLoopBackOff|3|"back-off 40s"\n'
                'container|envoy|e:1|running||1|\n'
                'pod|order-1|"0/1 nodes are available"\n'
            ), 0],
        ])
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        before, _, details = done.stderr.partition("events of item-1")
        self.assertEqual(before.split("\n\n")[-2].splitlines(), [
            'image localhost/item:t1 of pod item-1 cannot be pulled: Back-off "item": not found',
            "container user of pod user-1 ends with status 3, again and again",
            "pod order-1 is not scheduled: 0/1 nodes are available",
        ])
        for words in ["the events of user-1", "the end of the log of user of user-1:\n    the last words",
                      "the end of the log of envoy of user-1, of its run before:\n    the end of the run before",
                      "not ready after 1 s: deployment.apps/item"]:
            self.assertIn(words, details)
        for container in "statsd-exporter", "php-fpm":
            self.assertNotIn(f"the log of {container}", details)

    def test_does_not_wait_for_images_that_script_build_has_not_made(self):
        missing = ["get pods", 'pod|item-1|\ncontainer|php-fpm|localhost/item:t1|waiting|ErrImageNeverPull||"no image"\n', 0]
        done = self.deploy(answers=[missing])
        self.assertEqual(done.returncode, 1)
        self.assertIn("image localhost/item:t1 of pod item-1 is missing in the cluster: run script/build\n", done.stderr)
        self.assertNotIn("not ready after", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_keeps_certificates_apart_by_overlay_and_context(self):
        for name in "script", "deploy":
            (self.home / name).symlink_to(ROOT / name)
        for arguments in [], ["--context", "arn:aws/a_b"], ["--overlay", "production", "--context", "arn:aws/a_b"]:
            self.deploy("--tag", "t1", *arguments, script=self.home / "script/deploy", certs=False, answers=[EXISTING])
        folders = sorted(path.name for path in (self.home / "certs").iterdir())
        self.assertEqual(folders, ["minikube-arn%3aaws%2fa_b", "minikube-minikube", "production-arn%3aaws%2fa_b"])

    def test_prints_the_address_of_the_load_balancer_once_it_has_one(self):
        production = ["--overlay", "production", "--context", "somewhere"]
        done = self.deploy(*production, answers=[EXISTING, ["get service ingress", "2001:db8::7", 0]])
        self.assertEqual((done.returncode, done.stdout), (0, "ingress: http://[2001:db8::7]:8080/index\n"), done.stderr)
        done = self.deploy(*production, "--timeout", "1", answers=[EXISTING, ["get service ingress", "", 0]])
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertIn("the LoadBalancer has no address yet", done.stderr)

    def test_reports_a_cluster_that_does_not_answer(self):
        done = self.deploy(answers=[["get namespace", "connection refused\n", 1]])
        self.assertEqual(done.returncode, 1)
        self.assertIn("the cluster of the context 'minikube' does not answer: connection refused", done.stderr)
        self.assertEqual(self.applied(), [])

    def test_production_needs_a_context_and_the_secrets_of_the_databases(self):
        done = self.deploy("--overlay", "production")
        self.assertIn("needs --context", done.stderr)
        done = self.deploy("--overlay", "production", "--context", "somewhere", answers=[["get secret item-database", "secret/item-database\n", 0]])
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing in grpc-fcgi-proxy: user-database order-database", done.stderr)
        self.assertEqual(self.names("Deployment"), [])

    def test_deletes_objects_with_its_label_and_nothing_else(self):
        done = self.deploy("--delete")
        self.assertEqual(done.returncode, 0, done.stderr)
        [call] = [c["arguments"] for c in self.calls if c["arguments"][4:5] == ["delete"]]
        self.assertIn("app.kubernetes.io/part-of=grpc-fcgi-proxy", call)
        kinds = set(call[call.index("delete") + 1].split(","))
        self.deploy()
        made = {document["kind"].lower() for document in self.applied()} | {"persistentvolumeclaim"}
        self.assertLessEqual(made, kinds)
        for document in self.applied():
            self.assertEqual(document["metadata"]["labels"]["app.kubernetes.io/part-of"], "grpc-fcgi-proxy")

    def test_deletes_the_pods_too_before_it_ends(self):
        done = self.deploy("--delete", "--timeout", "7", answers=[["wait", "timed out\n", 1], ["get pods", "pod/item-1\npod/user-1\n", 0]])
        [call] = [c["arguments"] for c in self.calls if "wait" in c["arguments"]]
        for word in "pod", "delete", "app.kubernetes.io/part-of=grpc-fcgi-proxy", "7s":
            self.assertIn(word, call)
        self.assertEqual(done.returncode, 1)
        self.assertIn("pods have not ended after 7 s: pod/item-1 pod/user-1\n", done.stderr)
