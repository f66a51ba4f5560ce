// Takes the pictures of the pages for the README: screenshots.mjs FOLDER

import { chromium } from "playwright-core";

import { call, cardOf, chooseUser, eventually, must } from "./shop.mjs";

const { SHOP_URL: url } = process.env;
const [folder] = process.argv.slice(2);
const USER = "User One";

/** What users and browsers do all the time, so that the map has something to show. */
async function traffic(signal) {
  while (!signal.aborted) {
    await Promise.all(["/index", "/v1/items", "/v1/users", "/v1/orders:details"].map((path) => call("GET", path)));
  }
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium" });
const stop = new AbortController();
try {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  const { items } = await must("GET", "/v1/items");
  const [few, none] = items.slice(-2);
  await must("PATCH", `/v1/items/${few.id}?update_mask=quantity`, { quantity: 3 });
  await must("PATCH", `/v1/items/${none.id}?update_mask=quantity`, { quantity: 0 });
  const running = Promise.all([traffic(stop.signal), traffic(stop.signal)]);

  const shop = await context.newPage();
  await shop.goto(`${url}/shop`);
  await chooseUser(shop, USER);
  for (const { name } of [items[0], items[0], items[1]]) await (await cardOf(shop, name)).getByRole("button").click();
  await shop.locator("#orders .order").first().waitFor();
  await shop.mouse.click(0, 0);
  await shop.screenshot({ path: `${folder}/shop.png` });

  const mesh = await context.newPage();
  await mesh.setViewportSize({ width: 1280, height: 900 });
  await mesh.goto(`${url}/shop/mesh`);
  await eventually("Prometheus (of script/run --observability) has counted the calls of all edges", async () => {
    const { source, edges } = await must("GET", "/shop/mesh/data");
    const all = edges.length >= 7 && edges.every((edge) => edge.calls_per_second > 0 && edge.p95_seconds);
    return source === "prometheus" && all;
  });
  await mesh.getByText("From Prometheus").waitFor();
  await eventually("the page shows them", async () => !(await mesh.locator("#map").textContent()).includes("–"));
  await mesh.locator("#worker-rows tr").first().waitFor();
  await mesh.screenshot({ path: `${folder}/mesh.png` });
  stop.abort();
  await running;
} finally {
  stop.abort();
  await browser.close();
}
