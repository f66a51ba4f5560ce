// Services that stop and come back, while somebody looks at /shop.

import { randomUUID } from "node:crypto";
import { test } from "node:test";

import {
  HTTP_ERRORS,
  call,
  cardOf,
  chooseUser,
  enterKey,
  eventually,
  kill,
  must,
  newItem,
  newUser,
  notice,
  open,
  podsOf,
  restart,
  says,
} from "./shop.mjs";

const name = (what) => `${what} ${randomUUID().slice(0, 8)}`;
const DROPPED = /^Failed to load resource: |EventSource/;

test("without order the page says so, and recovers by itself", async (t) => {
  const item = await newItem(name("steady"), 10);
  const user = await newUser(name("Patient"));
  await must("POST", "/v1/orders", { user: user.id, items: [item.id] });
  const page = await open(t, "/shop", { expected: DROPPED });
  await chooseUser(page, user.name);
  const order = page.locator("#orders").getByText(`1 × ${item.name}`);
  await order.waitFor();
  const pods = podsOf("order");
  for (const pod of pods) kill(pod, "order");
  t.after(() => eventually("order is back", async () => (await call("GET", "/v1/orders?page_size=1")).status === 200));
  try {
    await says(page.locator("#orders .failure"), "Service down");
    await order.waitFor();
    await (await cardOf(page, item.name)).getByRole("button").click();
    await page.getByRole("button", { name: "Place order" }).click();
    await enterKey(page);
    await notice(page, "Service down");
    await page.locator("#basket").getByText(item.name, { exact: true }).waitFor();
  } finally {
    for (const pod of pods) restart(pod, "order");
  }
  await page.locator("#orders .failure").waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Place order" }).click();
  await notice(page, "Order placed");
});

test("without item the stock is reconnecting, and live again by itself", async (t) => {
  const item = await newItem(name("quiet"), 10);
  const user = await newUser(name("Quiet"));
  await must("POST", "/v1/orders", { user: user.id, items: [item.id] });
  const page = await open(t, "/shop", { expected: DROPPED });
  await chooseUser(page, user.name);
  const card = await cardOf(page, item.name);
  await card.getByText("9 in stock").waitFor();
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  const pods = podsOf("item");
  for (const pod of pods) kill(pod, "grpc-fcgi-proxy");
  try {
    await page.getByRole("status").getByText("reconnecting").waitFor();
    await card.getByText("9 in stock").waitFor();
    // That order asks item is not what the user wants to know, nor what its Envoy says.
    await says(page.locator("#orders .failure"), "Service down. Orders are not available just now. Trying again.");
  } finally {
    for (const pod of pods) restart(pod, "grpc-fcgi-proxy");
  }
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  await eventually("item is back", async () => (await call("GET", "/v1/items?page_size=1")).status === 200);
  await must("PATCH", `/v1/items/${item.id}?update_mask=quantity`, { quantity: 4 });
  await card.getByText("Only 4 left").waitFor();
});

test("without a connection there is no answer, and then there is", async (t) => {
  const page = await open(t, "/shop", { expected: DROPPED });
  const user = page.locator("#users .choices").getByRole("radio").first();
  await user.waitFor();
  await page.context().setOffline(true);
  await user.check();
  await says(page.locator("#orders .failure"), "No answer");
  await page.context().setOffline(false);
  await page.locator("#orders .failure").waitFor({ state: "hidden" });
});

test("a page in place of an answer is no empty list", async (t) => {
  const user = await newUser(name("Captive"));
  const page = await open(t);
  await page.route("**/v1/orders:details*", (route) =>
    route.fulfill({ contentType: "text/html", body: "<html>Log in to this network</html>" }),
  );
  await chooseUser(page, user.name);
  await says(page.locator("#orders .failure"), "No answer");
  await page.unroute("**/v1/orders:details*");
  await page.locator("#orders").getByText("No orders.").waitFor();
});

test("an order whose answer is lost may have been placed, and is shown", async (t) => {
  const [item, user] = [await newItem(name("lost"), 10), await newUser(name("Unsure"))];
  const page = await open(t, "/shop", { expected: HTTP_ERRORS });
  await page.getByRole("button", { name: "Enter key" }).click();
  await enterKey(page);
  await chooseUser(page, user.name);
  await (await cardOf(page, item.name)).getByRole("button").click();
  for (const [lose, title] of [
    [(route) => route.abort(), "No answer"],
    [(route) => route.fulfill({ status: 504, body: "upstream request timeout" }), "Service down"],
  ]) {
    await page.route("**/v1/orders", async (route) => {
      await route.fetch();
      await lose(route);
    });
    await page.getByRole("button", { name: "Place order" }).click();
    await notice(page, title);
    await notice(page, "The order may have been placed all the same: look at the orders first.");
    await page.unroute("**/v1/orders");
  }
  await eventually("both orders", async () => (await page.locator("#orders .order").count()) === 2);
});

// That the ingress answers so is a test of the mesh.
test("too many requests are called so, and the order can be placed later", async (t) => {
  const [item, user] = [await newItem(name("wanted"), 10), await newUser(name("Hasty"))];
  const page = await open(t, "/shop", { expected: HTTP_ERRORS });
  await page.getByRole("button", { name: "Enter key" }).click();
  await enterKey(page);
  await chooseUser(page, user.name);
  await (await cardOf(page, item.name)).getByRole("button").click();
  const refusal = { code: 8, message: "ingress: too many writes with this key: try again later" };
  await page.route("**/v1/orders", (route) => route.fulfill({ status: 429, json: refusal }));
  await page.getByRole("button", { name: "Place order" }).click();
  await notice(page, "Too many requests");
  await page.unroute("**/v1/orders");
  await page.getByRole("button", { name: "Place order" }).click();
  await notice(page, "Order placed");
});
