"""The manifests of every overlay, as script/validate-kubernetes renders them into $MANIFESTS."""

import json
import os
import pathlib
import re
import unittest

import yaml

OVERLAYS = {
    path.stem: [document for document in yaml.safe_load_all(path.read_text()) if document]
    for path in pathlib.Path(os.environ["MANIFESTS"]).glob("*.yaml")
}
APPS = ["ingress", "frontend", "user", "order", "item"]
# The permitted callers of each app that has any. The tests of the mesh call with certificates of the same callers.
CALLERS = json.loads((pathlib.Path(__file__).parents[1] / "callers.json").read_text())


def of_kind(overlay, *kinds):
    return [document for document in OVERLAYS[overlay] if document["kind"] in kinds]


def named(overlay, kind, name):
    found = [document for document in of_kind(overlay, kind) if document["metadata"]["name"] == name]
    assert len(found) == 1, f"{overlay}: {len(found)} objects {kind}/{name}"
    return found[0]


def workloads():
    for overlay in OVERLAYS:
        for workload in of_kind(overlay, "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"):
            yield overlay, workload


def containers(workload):
    pod = workload["spec"]["template"]["spec"]
    return pod.get("initContainers", []) + pod["containers"]


def every_container():
    for overlay, workload in workloads():
        for container in containers(workload):
            yield f"{overlay}/{workload['metadata']['name']}/{container['name']}", workload, container


def selects(selector, labels):
    """Whether a label selector matches these labels."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions", []):
        assert rule["operator"] == "In", rule
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def text_of(path):
    """A file of the checkout."""
    return (pathlib.Path(__file__).parents[3] / path).read_text()


def pool_setting(name):
    """A number in php-fpm's configuration."""
    [value] = re.findall(rf"^{re.escape(name)} = (\d+)s?$", text_of("php/item/php-fpm.conf"), re.MULTILINE)
    return int(value)


class Case(unittest.TestCase):
    """A test checks each object, and reports each that fails."""

    def each(self, things, check):
        count = 0
        for where, *thing in things:
            count += 1
            with self.subTest(where):
                check(*thing)
        self.assertGreater(count, 0, "checked no object")
