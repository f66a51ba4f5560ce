"""Rules for the pods of every overlay."""

import re
import yaml

from manifests import (
    APPS,
    CALLERS,
    OVERLAYS,
    Case,
    containers,
    every_container,
    named,
    of_kind,
    pool_setting,
    selects,
    text_of,
    workloads,
)


class EveryContainer(Case):
    def test_has_a_read_only_root_and_no_privilege(self):
        def check(_, container):
            security = container["securityContext"]
            self.assertIs(security["readOnlyRootFilesystem"], True)
            self.assertIs(security["allowPrivilegeEscalation"], False)
            self.assertIsNot(security.get("privileged"), True)
            self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
            self.assertFalse(set(security) & {"runAsNonRoot", "runAsUser", "seccompProfile"}, "belongs to the pod")

        self.each(every_container(), check)

    def test_has_requests_and_limits(self):
        def check(_, container):
            for kind in "requests", "limits":
                self.assertEqual(sorted(container["resources"][kind]), ["cpu", "memory"], kind)

        self.each(every_container(), check)

    def test_has_probes(self):
        def check(_, container):
            # It only waits.
            if container["name"] == "drain":
                return
            self.assertIn("livenessProbe", container)
            self.assertIn("readinessProbe", container)
            # The next container starts after a sidecar's startup probe succeeds, so a sidecar that is probed through the next
            # container has none.
            if container["name"] != "php-fpm":
                self.assertIn("startupProbe", container)

        self.each(every_container(), check)

    def test_is_probed_by_grpc_if_it_serves_grpc(self):
        serves = {
            "user": "user.UserService",
            "order": "order.OrderService",
            "grpc-fcgi-proxy": "item.ItemService",
        }

        def check(_, container):
            for probe in "startupProbe", "readinessProbe":
                self.assertEqual(container[probe]["grpc"], {"port": 6060, "service": serves[container["name"]]})

        self.each((each for each in every_container() if each[2]["name"] in serves), check)

    def test_is_probed_at_a_port_without_mutual_tls(self):
        def check(workload, container):
            named_ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            for kind in "startupProbe", "readinessProbe", "livenessProbe":
                probe = container.get(kind, {})
                for way in "httpGet", "grpc", "tcpSocket":
                    if way in probe:
                        port = probe[way]["port"]
                        self.assertNotIn(named_ports.get(port, port), [8080, 7070, 9000, 8001])

        self.each(every_container(), check)

    def test_has_a_pinned_image(self):
        def check(_, container):
            self.assertRegex(container["image"], r"^[a-z0-9./-]+:[A-Za-z0-9._-]+$")
            self.assertNotRegex(container["image"], r":(latest|stable|main)$")

        self.each(every_container(), check)

    def test_has_no_password_in_the_manifest(self):
        def check(_, container):
            for variable in container.get("env", []):
                if re.search("PASSWORD|URL$|DSN|TOKEN|KEY", variable["name"]) and "value" in variable:
                    self.assertNotRegex(variable["value"], "@", variable["name"])
                    self.assertNotRegex(variable["name"], "PASSWORD|DSN|TOKEN|KEY|DATABASE")

        self.each(every_container(), check)


class EveryPod(Case):
    def pods(self):
        for overlay, workload in workloads():
            yield f"{overlay}/{workload['metadata']['name']}", overlay, workload, workload["spec"]["template"]

    def test_runs_as_an_ordinary_user_with_seccomp(self):
        def check(overlay, workload, pod):
            security = pod["spec"]["securityContext"]
            self.assertIs(security["runAsNonRoot"], True)
            self.assertGreater(security["runAsUser"], 0)
            self.assertEqual(security["seccompProfile"], {"type": "RuntimeDefault"})
            for key in "hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace":
                self.assertNotIn(key, pod["spec"])

        self.each(self.pods(), check)

    def test_names_each_port_once(self):
        def check(overlay, workload, pod):
            ports = [port["name"] for container in containers(workload) for port in container.get("ports", [])]
            self.assertEqual(len(ports), len(set(ports)), ports)

        self.each(self.pods(), check)

    def test_mounts_nothing_of_the_node(self):
        def check(overlay, workload, pod):
            for volume in pod["spec"].get("volumes", []):
                self.assertLessEqual(set(volume) - {"name"}, {"configMap", "secret", "emptyDir"})

        self.each(self.pods(), check)

    def test_has_an_account_of_its_own_and_no_token(self):
        def check(overlay, workload, pod):
            name = workload["metadata"]["name"]
            self.assertEqual(pod["spec"]["serviceAccountName"], name)
            named(overlay, "ServiceAccount", name)
            # Prometheus discovers pods through the API.
            self.assertIs(pod["spec"]["automountServiceAccountToken"], name == "prometheus")

        self.each(self.pods(), check)

    def test_has_network_policies_for_both_directions(self):
        def check(overlay, workload, pod):
            labels = pod["metadata"]["labels"]
            policies = [p["spec"] for p in of_kind(overlay, "NetworkPolicy") if selects(p["spec"]["podSelector"], labels)]
            for direction in "Ingress", "Egress":
                self.assertTrue(any(direction in policy["policyTypes"] for policy in policies), direction)

        self.each(self.pods(), check)

    def test_finds_every_config_map_under_its_hashed_name(self):
        def check(overlay, workload, pod):
            there = {document["metadata"]["name"] for document in of_kind(overlay, "ConfigMap")}
            for volume in pod["spec"].get("volumes", []):
                if "configMap" in volume:
                    self.assertIn(volume["configMap"]["name"], there)
                    self.assertRegex(volume["configMap"]["name"], "-[a-z0-9]{10}$")

        self.each(self.pods(), check)


class EveryApp(Case):
    def apps(self):
        for overlay in OVERLAYS:
            for app in APPS:
                yield f"{overlay}/{app}", overlay, app, named(overlay, "Deployment", app)["spec"]

    def test_has_envoy_as_a_sidecar_that_starts_first_and_ends_last(self):
        def check(overlay, app, spec):
            first = spec["template"]["spec"]["initContainers"][0]
            self.assertEqual((first["name"], first["restartPolicy"]), ("envoy", "Always"))
            self.assertEqual([c["name"] for c in containers({"spec": spec})].count("envoy"), 1)

        self.each(self.apps(), check)

    def test_has_its_containers(self):
        own = {"ingress": [], "item": ["php-fpm", "grpc-fcgi-proxy"]}

        def check(overlay, app, spec):
            names = sorted(container["name"] for container in containers({"spec": spec}))
            self.assertEqual(names, sorted(["envoy", "statsd-exporter", "drain", *own.get(app, [app])]))

        self.each(self.apps(), check)

    def test_is_replaced_without_a_gap(self):
        def check(overlay, app, spec):
            self.assertEqual(spec["strategy"]["rollingUpdate"], {"maxSurge": 1, "maxUnavailable": 0})
            # All others go on until this one has ended.
            [last] = spec["template"]["spec"]["containers"]
            hook = last["lifecycle"]["preStop"]["exec"]["command"][-1]
            # The DNS may cache for 30 s, Envoy resolves every 5 s, and a health check takes up to 3 s.
            known, limit = (int(re.search(rf"{name}=(\d+)", hook)[1]) for name in ("known", "limit"))
            self.assertGreater(known, 38)
            pause = limit + known + int(re.findall(r"sleep (\d+)", hook)[-1])
            self.assertIs(named(overlay, "Service", app)["spec"].get("publishNotReadyAddresses", False), app != "ingress")
            ready = named(overlay, "Service", f"{app}-ready")["spec"]
            self.assertEqual((ready["clusterIP"], ready["selector"]), ("None", {"app": app}))
            self.assertNotIn("publishNotReadyAddresses", ready)
            arguments = " ".join(sum((c.get("args", []) for c in containers({"spec": spec})), []))
            drain = sum(int(seconds) for seconds in re.findall(r"--drain-timeout[ =](\d+)s", arguments))
            php = pool_setting("process_control_timeout") if app == "item" else 0
            self.assertGreater(spec["template"]["spec"]["terminationGracePeriodSeconds"], pause + drain + php)

        self.each(self.apps(), check)

    def test_keeps_its_programs_own_connections_while_it_drains(self):
        def check(overlay, app, spec):
            [volume] = [v for v in spec["template"]["spec"]["volumes"] if v["name"] == "envoy"]
            envoy = yaml.safe_load(named(overlay, "ConfigMap", volume["configMap"]["name"])["data"]["envoy.yaml"])
            for listener in envoy["static_resources"]["listeners"]:
                outbound = listener.get("traffic_direction") == "OUTBOUND"
                self.assertEqual(listener.get("drain_type", "DEFAULT"), "MODIFY_ONLY" if outbound else "DEFAULT")

        self.each(self.apps(), check)

    def test_is_spread_over_nodes_and_zones(self):
        def check(overlay, app, spec):
            keys = {rule["topologyKey"] for rule in spec["template"]["spec"]["topologySpreadConstraints"]}
            self.assertEqual(keys, {"kubernetes.io/hostname", "topology.kubernetes.io/zone"})
            for rule in spec["template"]["spec"]["topologySpreadConstraints"]:
                self.assertTrue(selects(rule["labelSelector"], spec["template"]["metadata"]["labels"]))
                self.assertIn("app", rule["matchLabelKeys"])

        self.each(self.apps(), check)

    def test_has_a_service_and_a_disruption_budget_that_select_it(self):
        def check(overlay, app, spec):
            service = named(overlay, "Service", app)["spec"]
            budget = named(overlay, "PodDisruptionBudget", app)["spec"]
            labels = spec["template"]["metadata"]["labels"]
            self.assertTrue(selects({"matchLabels": service["selector"]}, labels))
            self.assertTrue(selects(budget["selector"], labels))
            self.assertEqual(service.get("clusterIP") == "None", app != "ingress")

        self.each(self.apps(), check)

    def test_admits_only_its_permitted_callers(self):
        def check(overlay, app, spec):
            allowed = named(overlay, "NetworkPolicy", app)["spec"]["ingress"]
            sources = [source for rule in allowed for source in rule.get("from", [])]
            if app in CALLERS:
                self.assertEqual(sources, [{"podSelector": {"matchLabels": {"app": caller}}} for caller in CALLERS[app]])
            self.assertEqual([rule["ports"] for rule in allowed], [[{"port": 8080, "protocol": "TCP"}]])

        self.each(self.apps(), check)

    def test_has_the_keys_of_clients_if_it_is_the_ingress(self):
        def check(overlay, app, spec):
            [envoy] = [c for c in containers({"spec": spec}) if c["name"] == "envoy"]
            mounts = {mount["mountPath"]: mount["name"] for mount in envoy["volumeMounts"]}
            keys = [v for v in spec["template"]["spec"]["volumes"] if v.get("secret", {}).get("secretName") == "ingress-key"]
            self.assertEqual([v["name"] for v in keys], [mounts["/etc/keys"]] if app == "ingress" else [])
            self.assertEqual("/etc/keys" in mounts, app == "ingress")

        self.each(self.apps(), check)

    def test_is_scraped(self):
        def check(overlay, app, spec):
            self.assertEqual(spec["template"]["metadata"]["annotations"]["prometheus.io/scrape"], "true")
            ports = [port for c in containers({"spec": spec}) for port in c.get("ports", []) if re.fullmatch("metrics(-.+)?", port["name"])]
            expected = [9102] if app == "ingress" else [6060, 9102]
            self.assertEqual(sorted(port["containerPort"] for port in ports), expected)

        self.each(self.apps(), check)


class ResidentWorkers(Case):
    def items(self):
        for overlay in OVERLAYS:
            spec = named(overlay, "Deployment", "item")
            yield overlay, spec, {c["name"]: c for c in containers(spec)}

    def test_leave_workers_for_their_successors_and_for_calls_by_themselves(self):
        def check(spec, found):
            flags = dict(flag.split("=", 1) for flag in found["grpc-fcgi-proxy"]["args"] if "=" in flag)
            used = int(flags["--resident-workers"]) + int(flags["--max-exchanges"]) + 1
            self.assertEqual(used, pool_setting("pm.max_children"))
            self.assertEqual(pool_setting("request_terminate_timeout"), 0)
            # In MiB, with 256 for the opcache.
            limit = pool_setting("pm.max_children") * 128 + 256
            self.assertEqual(found["php-fpm"]["resources"]["limits"]["memory"], f"{limit}Mi")

        self.each(self.items(), check)

    def test_are_limited_as_in_script_run(self):
        run, pods = (text_of(f"script/{name}") for name in ("run", "lib/pods.sh"))

        def check(spec, found):
            arguments = found["grpc-fcgi-proxy"]["args"]
            [workers] = [flag.rpartition("=")[2] for flag in arguments if flag.startswith("--resident-workers=")]
            self.assertIn(f"\nresident_workers={workers}\n", run)
            self.assertIn(f"\nreadonly item_workers={pool_setting('pm.max_children')}\n", pods)
            for flag in arguments:
                if flag.startswith("--resident-max-"):
                    self.assertIn(f" {flag} ", pods)

        self.each(self.items(), check)

    def test_connect_to_a_socket_in_a_volume_of_both_containers_only(self):
        def check(spec, found):
            [address] = [f for f in found["grpc-fcgi-proxy"]["args"] if f.startswith("--resident-address=unix://")]
            folder = address.removeprefix("--resident-address=unix://").rpartition("/")[0]
            mounting = {
                name: mount["name"]
                for name, container in found.items()
                for mount in container.get("volumeMounts", [])
                if mount["mountPath"] == folder
            }
            self.assertEqual(sorted(mounting), ["grpc-fcgi-proxy", "php-fpm"])
            [volume] = set(mounting.values())
            [kind] = [v for v in spec["spec"]["template"]["spec"]["volumes"] if v["name"] == volume]
            self.assertIn("emptyDir", kind)
            others = [c for c in found if c not in mounting]
            self.assertFalse([c for c in others if volume in [m["name"] for m in found[c].get("volumeMounts", [])]])

        self.each(self.items(), check)


class Overlays(Case):
    def test_are_minikube_and_production(self):
        self.assertEqual(sorted(OVERLAYS), ["minikube", "production"])

    def test_apply_again_without_a_change(self):
        """kubectl takes what Kubernetes adds to a list, or drops as empty, for a change."""

        def empty(value, path):
            values = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
            for key, inner in values:
                if inner in ("", [], None) and key != "apiGroups" and path[-1:] != ["apiGroups"]:
                    yield [*path, key]
                yield from empty(inner, [*path, key])

        for overlay in OVERLAYS:
            for document in OVERLAYS[overlay]:
                with self.subTest(f"{overlay}/{document['kind']}/{document['metadata']['name']}"):
                    self.assertEqual(list(empty(document, [])), [])
                    if document["kind"] == "NetworkPolicy":
                        for rule in document["spec"].get("ingress", []) + document["spec"].get("egress", []):
                            for port in rule["ports"]:
                                self.assertIn("protocol", port)

    def test_contain_no_secret(self):
        self.each(((overlay, overlay) for overlay in OVERLAYS), lambda o: self.assertEqual(of_kind(o, "Secret"), []))

    def test_production_has_more_than_one_pod_of_each_app_and_scales_them(self):
        def check(app):
            scaler = named("production", "HorizontalPodAutoscaler", app)["spec"]
            self.assertEqual(scaler["scaleTargetRef"]["name"], app)
            self.assertGreater(scaler["minReplicas"], 1)
            self.assertGreater(scaler["maxReplicas"], scaler["minReplicas"])
            # Otherwise each deployment would reset the autoscaler's number.
            self.assertNotIn("replicas", named("production", "Deployment", app)["spec"])

        self.each(((app, app) for app in APPS), check)

    def test_production_takes_the_databases_from_secrets(self):
        self.assertEqual(of_kind("production", "StatefulSet"), [])
        for app, container, variable in [
            ("user", "user", "USER_DATABASE_URL"),
            ("order", "order", "ORDER_DATABASE_URL"),
            ("item", "php-fpm", "ITEM_DSN"),
        ]:
            spec = named("production", "Deployment", app)
            [env] = [c["env"] for c in containers(spec) if c["name"] == container]
            [source] = [v["valueFrom"] for v in env if v["name"] == variable]
            self.assertEqual(source["secretKeyRef"]["name"], f"{app}-database")

    def test_minikube_exposes_the_services_of_the_readme(self):
        for name in "ingress", "prometheus", "jaeger-query", "grafana":
            with self.subTest(name):
                self.assertEqual(named("minikube", "Service", name)["spec"]["type"], "NodePort")
