// The page /shop/mesh, with Prometheus or without, as the pods run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HTTP_ERRORS, eventually, must, open } from "./shop.mjs";

test("the map shows every edge, as a drawing and as a table", async (t) => {
  const page = await open(t, "/shop/mesh");
  const map = await must("GET", "/shop/mesh/data");
  await eventually("a row and an arrow for each edge", async () => {
    const counts = await Promise.all(["#edge-rows tr", "#map .edge"].map((rows) => page.locator(rows).count()));
    return counts.every((count) => count >= map.edges.length && count > 0);
  });
  const said =
    map.source === "prometheus" ? "From Prometheus" : "so this is only what the Envoy of a frontend pod sees";
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
