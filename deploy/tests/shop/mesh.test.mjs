// The page /shop/mesh, with Prometheus or without, as the pods run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HTTP_ERRORS, call, eventually, kill, must, open, podsOf, restart, says } from "./shop.mjs";

test("the map shows every edge, as a drawing and as a table", async (t) => {
  const page = await open(t, "/shop/mesh");
  const map = await must("GET", "/shop/mesh/data");
  await eventually("a row and an arrow for each edge", async () => {
    const counts = await Promise.all(["#edge-rows tr", "#map .edge"].map((rows) => page.locator(rows).count()));
    return counts.every((count) => count >= map.edges.length && count > 0);
  });
  const said =
    map.source === "prometheus" ? "From Prometheus" : "only those that the Envoy of a frontend pod sees";
  await page.getByText(said).waitFor();
  const row = page.locator("#edge-rows tr").filter({ hasText: "frontend to user" });
  await row.getByText("1 of 1").waitFor();
});

test("calls that are made are counted", async (t) => {
  const page = await open(t, "/shop/mesh");
  const calls = page.locator("#edge-rows tr").filter({ hasText: "frontend to user" }).locator("td").first();
  await eventually("calls of frontend to user", async () => {
    await must("GET", "/index");
    return Number(await calls.textContent()) > 0;
  });
});

// Order answers by gRPC that it cannot do without item: the HTTP status of that is 200.
test("an edge whose calls fail by gRPC shows errors", async (t) => {
  const page = await open(t, "/shop/mesh");
  const errors = page.locator("#edge-rows tr").filter({ hasText: "frontend to order" }).locator("td").nth(1);
  const isBad = async () => (await errors.getAttribute("class")) === "number bad";
  const pods = podsOf("item");
  for (const pod of pods) kill(pod, "grpc-fcgi-proxy");
  try {
    await eventually("errors of frontend to order", async () => {
      await call("GET", "/index");
      return isBad();
    });
    await page.locator("#map .edge[data-key='frontend order'][data-state='bad']").waitFor();
  } finally {
    for (const pod of pods) restart(pod, "grpc-fcgi-proxy");
  }
  await eventually("item is back", async () => (await call("GET", "/index")).status === 200);
});

// As Prometheus knows it.
test("a box is bad if a pod is down or calls of the app fail, and an app without a place has none", async (t) => {
  const page = await open(t, "/shop");
  const apps = [
    { app: "order", error_ratio: 0.25, p95_seconds: 0.02 },
    { app: "user", error_ratio: 0, p95_seconds: 0.02 },
  ];
  const pods = ["order", "user", "item", "other"].map((app) => ({ app, pod: `${app}-1`, up: app !== "item" }));
  const map = { source: "prometheus", reason: null, apps, edges: [], pods, workers: [] };
  await page.route("**/shop/mesh/data", (route) => route.fulfill({ json: map }));
  await page.getByRole("link", { name: "Mesh" }).click();
  const boxes = page.locator("#map .app");
  await boxes.first().waitFor();
  const shown = await boxes.evaluateAll((boxes) =>
    boxes.map((box) => [box.dataset.key, box.dataset.state, box.querySelector(".small").textContent]),
  );
  assert.deepEqual(shown, [
    ["item", "bad", ""],
    ["order", "bad", "25 % errors"],
    ["user", "good", "p95 20 ms"],
  ]);
  await page.locator("#app-rows tr", { hasText: "order" }).locator(".bad", { hasText: "25 %" }).waitFor();
  assert.equal(await page.locator("#pod-rows tr").count(), 4);
});

test("without metrics of Envoy the page says so, and shows the pods that are known", async (t) => {
  const page = await open(t, "/shop");
  const edge = { from: "frontend", to: "user", calls_per_second: 1, error_ratio: 0, p95_seconds: 0.02 };
  const [edges, pods] = [[{ ...edge, healthy_pods: 1, known_pods: 1 }], [{ app: "user", pod: "user-1", up: true }]];
  const map = { source: "envoy", reason: "Prometheus has no metrics of Envoy", apps: [], edges, pods, workers: [] };
  await page.route("**/shop/mesh/data", (route) => route.fulfill({ json: map }));
  await page.getByRole("link", { name: "Mesh" }).click();
  await page.getByText("Prometheus has no metrics of Envoy, so the calls are only those").waitFor();
  assert.ok(!(await page.locator("#source").textContent()).includes("Pods and PHP workers are not known"));
  await page.locator("#pod-rows").getByText("user-1").waitFor();
});

test("without data the page says why, keeps the map, and recovers", async (t) => {
  const page = await open(t, "/shop/mesh", { expected: HTTP_ERRORS });
  await page.locator("#edge-rows tr").first().waitFor();
  const failure = { error: { code: "UNAVAILABLE", message: "Envoy is not reachable" } };
  await page.route("**/shop/mesh/data", (route) => route.fulfill({ status: 503, json: failure }));
  await page.getByText("No map: Envoy is not reachable. Trying again.").waitFor();
  assert.ok((await page.locator("#edge-rows tr").count()) > 0);
  await page.unroute("**/shop/mesh/data");
  await page.locator("#failure").waitFor({ state: "hidden" });
});

test("an answer that is no map is an error, and leaves the map as it was", async (t) => {
  const page = await open(t, "/shop/mesh");
  await page.locator("#map .edge").first().waitFor({ state: "attached" });
  for (const body of ["<html>Log in to this network</html>", '{"source": "prometheus"}']) {
    await page.route("**/shop/mesh/data", (route) => route.fulfill({ body }));
    await says(page.locator("#failure"), "No map: ");
    // The page draws the map again.
    await page.setViewportSize({ width: 800, height: 900 });
    await eventually("the map has its new width", () =>
      page.evaluate(() => {
        const map = document.querySelector("#map");
        return map.viewBox.baseVal.width === map.getBoundingClientRect().width;
      }),
    );
    assert.ok((await page.locator("#map .edge").count()) > 0);
    await page.unroute("**/shop/mesh/data");
    await page.locator("#failure").waitFor({ state: "hidden" });
    await page.setViewportSize({ width: 1280, height: 900 });
  }
});
