"""Tests of the hook by which a terminating pod waits for its successor, with a stand-in for the DNS. script/test-cluster tests it in
a cluster."""

import http.server
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

from manifests import containers, named

OWN = "192.0.2.1"
# Prints the addresses in the file NAME beside it, as getent ahosts NAME does; fails if there is none.
GETENT = """#!/bin/bash
file=$(dirname "$0")/$2
[ -e "$file" ] || exit 2
while read -r address; do printf '%s     STREAM %s\\n' "$address" "$2"; done <"$file"
"""


class Admin(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.posted.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Drain(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "getent").write_text(GETENT)
        (self.home / "getent").chmod(0o755)
        self.resolve("this-pod", OWN)
        self.resolve("order", OWN)
        self.admin = http.server.HTTPServer(("127.0.0.1", 0), Admin)
        self.admin.posted = []
        threading.Thread(target=self.admin.serve_forever).start()
        self.addCleanup(self.admin.server_close)
        self.addCleanup(self.admin.shutdown)

    def resolve(self, name, *addresses):
        (self.home / "new").write_text("".join(f"{address}\n" for address in addresses))
        (self.home / "new").rename(self.home / name)

    def start(self, known, limit):
        [container] = [c for c in containers(named("production", "Deployment", "order")) if c["name"] == "drain"]
        script = container["lifecycle"]["preStop"]["exec"]["command"][-1]
        for old, new in [("known=40 limit=120", f"known={known} limit={limit}"), ("127.0.0.1/8001", f"127.0.0.1/{self.admin.server_port}"),
                         ("\nsleep 10\n", "\n")]:
            self.assertIn(old, script)
            script = script.replace(old, new)
        environment = {"PATH": f"{self.home}:{os.environ['PATH']}", "HOSTNAME": "this-pod", "APP": "order"}
        hook = subprocess.Popen(["bash", "-c", script], env=environment)
        self.addCleanup(hook.wait)
        self.addCleanup(hook.kill)
        return hook

    def drained(self, hook, within=20):
        self.assertEqual(hook.wait(timeout=within), 0)
        self.assertEqual(self.admin.posted, ["/healthcheck/fail"])

    def test_waits_until_another_pod_has_been_ready_for_long_enough(self):
        hook = self.start(known=2, limit=1000)
        with self.assertRaises(subprocess.TimeoutExpired):
            hook.wait(timeout=3)
        self.resolve("order", OWN, "192.0.2.2")
        self.resolve("order-ready", "192.0.2.2")
        self.drained(hook)

    def test_does_not_take_itself_for_its_successor(self):
        self.resolve("order-ready", OWN)
        hook = self.start(known=1, limit=1000)
        with self.assertRaises(subprocess.TimeoutExpired):
            hook.wait(timeout=4)
        self.assertEqual(self.admin.posted, [])

    def test_does_not_wait_for_ever(self):
        self.drained(self.start(known=1000, limit=2))

    def test_does_not_wait_if_the_service_is_gone(self):
        (self.home / "order").unlink()
        self.drained(self.start(known=1000, limit=1000))

