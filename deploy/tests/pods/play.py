"""Converts a workload of the manifests to a pod that podman 4.3 can play, and lists what is left for the kubelet.

    play.py MANIFESTS SECRETS PLACE NAMESERVER WORKLOAD NUMBER

writes PLACE/WORKLOAD-NUMBER/: pod.yaml, pod.json (the tasks of the kubelet and the controllers, which script/test-pods
performs) and volumes/. Everything that podman lacks is worked around here:

- no sidecars: they become ordinary containers, and pod.json lists them, to be stopped last;
- no probes but its own, and no sleep as a hook: pod.json lists both;
- no Secrets as volumes, and ConfigMaps only as volumes that never change: each volume becomes a folder with the kubelet's
  layout;
- no user of the pod, only of each container, and no environment variables from the manifests' Secrets;
- no Services, and a DNS that fails for a moment whenever a pod starts or ends: the pods use script/test-pods' DNS, and pod.json
  lists the Services that select the pod;
- no API: Prometheus reads its targets from a file, and relabels them as those of the API.
"""

import base64
import json
import os
import pathlib
import shutil
import sys

import yaml


def documents(path):
    return [document for document in yaml.safe_load_all(pathlib.Path(path).read_text()) if document]


def content(document):
    """The files of a ConfigMap or a Secret, as bytes."""
    if document["kind"] == "ConfigMap":
        return {key: text.encode() for key, text in document.get("data", {}).items()}
    given = {key: base64.b64decode(text) for key, text in document.get("data", {}).items()}
    return given | {key: text.encode() for key, text in document.get("stringData", {}).items()}


def without_api(data):
    """Prometheus' configuration with the targets in a file; other files unchanged."""
    if b"kubernetes_sd_configs" not in data:
        return data
    config = yaml.safe_load(data)
    for job in config["scrape_configs"]:
        del job["kubernetes_sd_configs"]
        job["file_sd_configs"] = [{"files": ["targets.json"]}]
    return yaml.safe_dump(config).encode()


def project(files, folder, user):
    """Writes files in the kubelet's layout: ..data is a link to a folder with all of them, and only the link changes."""
    version = folder / "..1"
    version.mkdir(parents=True)
    (folder / "..data").symlink_to("..1")
    for name, data in files.items():
        (version / name).write_bytes(without_api(data))
        os.chown(version / name, user, user)
        (version / name).chmod(0o440)
        (folder / name).symlink_to(f"..data/{name}")


class Pod:
    def __init__(self, manifests, secrets, place, nameserver, workload, number):
        self.nameserver = nameserver
        self.documents = documents(manifests) + documents(secrets)
        self.workload = self.find(("Deployment", "StatefulSet"), workload)
        self.template = self.workload["spec"]["template"]
        self.spec = self.template["spec"]
        self.user = self.spec["securityContext"]["runAsUser"]
        self.name = f"{workload}-{number}"
        self.folder = pathlib.Path(place) / self.name

    def find(self, kinds, name):
        [found] = [d for d in self.documents if d["kind"] in kinds and d["metadata"]["name"] == name]
        return found

    def write(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for volume in self.spec.get("volumes", []):
            self.volume(volume)
        for claim in self.workload["spec"].get("volumeClaimTemplates", []):
            self.empty(claim["metadata"]["name"])
        with open(self.folder / "pod.yaml", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            yaml.safe_dump(self.manifest(), file)
        (self.folder / "pod.json").write_text(json.dumps(self.left_over(), indent=1))

    def volume(self, volume):
        folder = self.folder / "volumes" / volume["name"]
        if "configMap" in volume:
            project(content(self.find(("ConfigMap",), volume["configMap"]["name"])), folder, self.user)
        elif "secret" in volume:
            project(content(self.find(("Secret",), volume["secret"]["secretName"])), folder, self.user)
        else:
            assert "emptyDir" in volume, volume
            self.empty(volume["name"])

    def empty(self, name):
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True)
        os.chown(folder, self.user, self.user)

    def containers(self):
        return self.spec.get("initContainers", []) + self.spec["containers"]

    def manifest(self):
        volumes = sorted({mount["name"] for c in self.containers() for mount in c.get("volumeMounts", [])})
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "labels": self.template["metadata"]["labels"]},
            "spec": {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": [self.nameserver]},
                "containers": [self.container(container) for container in self.containers()],
                "volumes": [
                    {"name": name, "hostPath": {"path": str(self.folder / "volumes" / name), "type": "Directory"}}
                    for name in volumes
                ],
            },
        }

    def container(self, container):
        kept = "name", "image", "command", "args", "volumeMounts"
        played = {key: container[key] for key in kept if key in container}
        played["env"] = [self.variable(variable) for variable in container.get("env", [])]
        played["resources"] = {"limits": {"memory": container["resources"]["limits"]["memory"]}}
        played["securityContext"] = container["securityContext"] | {"runAsUser": self.user, "runAsGroup": self.user}
        return played

    def variable(self, variable):
        if "value" in variable:
            return variable
        reference = variable["valueFrom"]["secretKeyRef"]
        value = content(self.find(("Secret",), reference["name"]))[reference["key"]]
        return {"name": variable["name"], "value": value.decode()}

    def left_over(self):
        labels = self.template["metadata"]["labels"]
        services = [d for d in self.documents if d["kind"] == "Service"]
        selecting = [s for s in services if s["spec"].get("selector", {}).items() <= labels.items()]
        return {
            "app": labels["app"],
            "services": [service["metadata"]["name"] for service in selecting],
            "annotations": self.template["metadata"].get("annotations", {}),
            "ports": [port for container in self.containers() for port in container.get("ports", [])],
            "probes": [self.probe(container) for container in self.containers()],
            "pre_stop": [
                {"container": container["name"], "command": container["lifecycle"]["preStop"]["exec"]["command"]}
                for container in self.containers()
                if "exec" in container.get("lifecycle", {}).get("preStop", {})
            ],
            "pause": max(
                (c["lifecycle"]["preStop"]["sleep"]["seconds"] for c in self.spec["containers"] if "lifecycle" in c),
                default=0,
            ),
            "grace": self.spec.get("terminationGracePeriodSeconds", 30),
            "min_ready": self.workload["spec"].get("minReadySeconds", 0),
            "programs": [container["name"] for container in self.spec["containers"]],
            "sidecars": [container["name"] for container in self.spec.get("initContainers", [])],
        }

    def probe(self, container):
        probe = container["readinessProbe"]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        if "httpGet" in probe:
            port = probe["httpGet"]["port"]
            return {"kind": "http", "port": ports.get(port, port), "path": probe["httpGet"]["path"]}
        if "grpc" in probe:
            return {"kind": "grpc"} | probe["grpc"]
        return {"kind": "exec", "container": container["name"], "command": probe["exec"]["command"]}


if __name__ == "__main__":
    Pod(*sys.argv[1:]).write()
