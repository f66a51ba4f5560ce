// What a user does on /shop, in one browser and in two.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import {
  HTTP_ERRORS,
  call,
  cardOf,
  chooseUser,
  enterKey,
  eventually,
  hold,
  must,
  newItem,
  newUser,
  notice,
  open,
  setHidden,
} from "./shop.mjs";

const name = (what) => `${what} ${randomUUID().slice(0, 8)}`;

test("the stock of an item moves without a reload", async (t) => {
  const item = await newItem(name("moving"), 40);
  const page = await open(t);
  const card = await cardOf(page, item.name);
  await card.getByText("40 in stock").waitFor();
  await card.getByText("€12.50").waitFor();
  for (const [quantity, text] of [
    [3, "Only 3 left"],
    [0, "Out of stock"],
    [7, "7 in stock"],
  ]) {
    await must("PATCH", `/v1/items/${item.id}?update_mask=quantity`, { quantity });
    await card.getByText(text).waitFor();
  }
});

test("a new item appears by itself, as long as the shop has one page", async (t) => {
  const prefix = name("young");
  const old = await newItem(`${prefix} old`, 1);
  const page = await open(t, "/shop/mesh");
  // To this browser, the shop has no other items.
  await page.route("**/v1/items?*", async (route) => {
    const { items } = await must("GET", "/v1/items?page_size=1000");
    await route.fulfill({ json: { items: items.filter((item) => item.name.startsWith(prefix)) } });
  });
  await page.getByRole("link", { name: "Items" }).click();
  await page.getByRole("heading", { name: old.name }).waitFor();
  assert.equal(await page.locator(".card").count(), 1);
  const item = await newItem(`${prefix} new`, 1);
  await page.getByRole("heading", { name: item.name }).waitFor();
});

test("a window that is hidden holds no connection, and is live again when it is visible", async (t) => {
  const item = await newItem(name("watched"), 10);
  const first = await open(t);
  await first.getByRole("status").getByText("live", { exact: true }).waitFor();
  // A browser has six connections for all of them.
  for (let windows = 1; windows < 7; windows++) {
    const other = await first.context().newPage();
    await other.goto(first.url());
    await other.getByRole("status").getByText("live", { exact: true }).waitFor();
    await setHidden(other, true);
  }
  const card = await cardOf(first, item.name);
  await setHidden(first, true);
  await first.getByRole("status").getByText("reconnecting").waitFor();
  await must("PATCH", `/v1/items/${item.id}?update_mask=quantity`, { quantity: 4 });
  await setHidden(first, false);
  await first.getByRole("status").getByText("live", { exact: true }).waitFor();
  await card.getByText("Only 4 left").waitFor();
});

test("two browsers see each other's orders, and the stock that they take", async (t) => {
  const item = await newItem(name("shared"), 10);
  const user = await newUser(name("Shared"));
  const [one, other] = [await open(t), await open(t)];
  for (const page of [one, other]) await chooseUser(page, user.name);
  await one.getByText("No orders.").waitFor();

  const card = await cardOf(one, item.name);
  await card.getByRole("button").click();
  await card.getByRole("button").click();
  await one.locator("#basket").getByText("€25.00").waitFor();
  await one.getByRole("button", { name: `Place order for ${user.name}` }).click();
  await enterKey(one);
  await notice(one, "Order placed");
  assert.equal(await one.evaluate(() => document.activeElement.textContent), `Orders of ${user.name}`);
  for (const page of [one, other]) {
    await page.locator("#orders").getByText(`2 × ${item.name}`).waitFor();
    await (await cardOf(page, item.name)).getByText("8 in stock").waitFor();
  }

  await other.getByRole("button", { name: "Delete order" }).click();
  await other.getByRole("dialog").getByRole("button", { name: "Delete order" }).click();
  await enterKey(other);
  await notice(other, "Order deleted");
  for (const page of [one, other]) {
    await page.locator("#orders").getByText(`2 × ${item.name}`).waitFor({ state: "detached" });
    await (await cardOf(page, item.name)).getByText("10 in stock").waitFor();
  }
});

test("the key is typed once, and forgotten when the user wants it", async (t) => {
  const item = await newItem(name("keyed"), 10);
  const user = await newUser(name("Keyed"));
  const page = await open(t);
  await page.getByRole("button", { name: "Enter key" }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Enter key" }).click();
  assert.ok(await page.locator("#notice").isHidden(), "who changes their mind has done nothing wrong");
  await enterKey(page);
  await chooseUser(page, user.name);
  for (const left of ["9 in stock", "8 in stock"]) {
    const card = await cardOf(page, item.name);
    await card.getByRole("button").click();
    await page.getByRole("button", { name: "Place order" }).click();
    await notice(page, "Order placed");
    await card.getByText(left).waitFor();
    await page.getByRole("button", { name: "Close this message" }).click();
  }
  await page.reload();
  await page.getByRole("heading", { name: `Orders of ${user.name}` }).waitFor();
  await page.getByRole("button", { name: "Forget key" }).click();
  await page.getByRole("button", { name: "Enter key" }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("x-api-key")), null);
});

test("pieces that are added while an order is placed stay in the basket", async (t) => {
  const [item, other] = [await newItem(name("ordered"), 10), await newItem(name("added"), 10)];
  const user = await newUser(name("Quick"));
  const page = await open(t);
  await page.getByRole("button", { name: "Enter key" }).click();
  await enterKey(page);
  await chooseUser(page, user.name);
  const add = async ({ name }) => (await cardOf(page, name)).getByRole("button").click();
  await add(item);
  const release = await hold(page, "**/v1/orders");
  await page.getByRole("button", { name: "Place order" }).click();
  for (const added of [item, item, other]) await add(added);
  release();
  await notice(page, "Order placed");
  await page.getByRole("link", { name: "Basket (3)" }).waitFor();
  await page.getByRole("button", { name: "Place order" }).click();
  await page.locator("#orders").getByText(`1 × ${item.name}`).waitFor();
  await page.locator("#orders").getByText(`2 × ${item.name}`).waitFor();
  await page.locator("#orders").getByText(`1 × ${other.name}`).waitFor();
});

test("a wrong key is refused, asked for again, and changes nothing", async (t) => {
  const item = await newItem(name("locked"), 10);
  const user = await newUser(name("Locked"));
  const page = await open(t, "/shop", { expected: HTTP_ERRORS });
  await chooseUser(page, user.name);
  await (await cardOf(page, item.name)).getByRole("button").click();
  await page.getByRole("button", { name: "Place order" }).click();
  for (const wrong of ["wrong", "schlüssel ☃"]) {
    await enterKey(page, wrong);
    await page.getByRole("dialog").getByText("This key was refused.").waitFor();
  }
  await page.keyboard.press("Escape");
  await notice(page, "Not allowed");
  await page.locator("#basket").getByText(item.name, { exact: true }).waitFor();
  const { orders = [] } = (await call("GET", `/v1/orders?user=${user.id}`)).body;
  assert.deepEqual(orders, []);
});

test("an item that is out of stock is named, and the order goes on without it", async (t) => {
  const [scarce, plenty] = [await newItem(name("scarce"), 2), await newItem(name("plenty"), 10)];
  const user = await newUser(name("Late"));
  const page = await open(t, "/shop", { expected: HTTP_ERRORS });
  await page.getByRole("button", { name: "Enter key" }).click();
  await enterKey(page);
  await chooseUser(page, user.name);
  const card = await cardOf(page, scarce.name);
  await card.getByRole("button").click();
  await card.getByRole("button").click();
  assert.ok(await card.getByRole("button").isDisabled(), "there are no more than two");
  await (await cardOf(page, plenty.name)).getByRole("button").click();
  await must("PATCH", `/v1/items/${scarce.id}?update_mask=quantity`, { quantity: 1 });

  const line = page.locator("#basket .line").filter({ hasText: scarce.name });
  await line.getByText("Only 1 left.").waitFor();
  await page.getByRole("button", { name: "Place order" }).click();
  await notice(page, "Out of stock");
  await line.getByRole("button", { name: "fewer" }).click();
  await page.getByRole("button", { name: "Place order" }).click();
  await notice(page, "Order placed");
  await page.locator("#orders").getByText(`1 × ${scarce.name}`).waitFor();
  await page.locator("#orders").getByText(`1 × ${plenty.name}`).waitFor();
});

test("a user is created, chosen, and deleted", async (t) => {
  const page = await open(t);
  await page.getByText("New user").click();
  const created = name("Created");
  await page.getByLabel("Name").fill(created);
  await page.getByLabel("Address").fill("<b>1</b> & Co");
  await page.getByRole("button", { name: "Create user" }).click();
  await enterKey(page);
  await page.getByRole("heading", { name: `Orders of ${created}` }).waitFor();
  await page.getByRole("button", { name: "Delete this user" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete user" }).click();
  await notice(page, "User deleted");
  await page.getByText("Choose a user to see the orders.").waitFor();
});

test("the next page of one user's orders is not a page of another's", async (t) => {
  const [many, none] = [await newUser(name("Many")), await newUser(name("None"))];
  const item = await newItem(name("ordered"), 50);
  for (let number = 0; number < 11; number++) await must("POST", "/v1/orders", { user: many.id, items: [item.id] });
  const page = await open(t);
  const orders = page.locator("#orders");
  await chooseUser(page, many.name);
  await orders.getByText("10 orders on this page").waitFor();
  const release = await hold(page, "**/v1/orders:details?*");
  await chooseUser(page, none.name);
  await orders.getByRole("button", { name: "Next" }).click();
  release();
  await orders.getByText("No orders.").waitFor();
});

test("who clicks twice creates one user", async (t) => {
  const page = await open(t);
  await page.getByRole("button", { name: "Enter key" }).click();
  await enterKey(page);
  await page.getByText("New user").click();
  await page.getByLabel("Name").fill(name("Twice"));
  const posts = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.url()));
  const release = await hold(page, "**/v1/users");
  await page.getByRole("button", { name: "Create user" }).dblclick();
  release();
  await notice(page, "User created");
  assert.equal(posts.length, 1);
});

test("text is never HTML", async (t) => {
  const markup = `"><img src=x onerror=alert(1)> ${randomUUID().slice(0, 8)}`;
  const item = await must("POST", "/v1/items", { name: markup, description: "<script>alert(2)</script>", quantity: 1 });
  const page = await open(t);
  page.on("dialog", () => assert.fail("a script of the data ran"));
  await (await cardOf(page, item.name)).getByText("<script>alert(2)</script>").waitFor();
});

test("lists of many rows have pages, and the page that is shown is live", async (t) => {
  const prefix = name("many");
  for (let number = 0; number < 26; number++) await newItem(`${prefix} ${number}`, 50);
  for (let number = 0; number < 11; number++) await newUser(`${prefix} user ${number}`);
  const page = await open(t);
  for (const [section, row, most, lists] of [
    ["#catalogue", ".card", 24, "**/v1/items?*"],
    ["#users", ".choices li", 10, "**/v1/users?*"],
  ]) {
    const rows = page.locator(`${section} ${row}`);
    await eventually(`a full page in ${section}`, async () => (await rows.count()) === most);
    const first = await rows.first().textContent();
    const button = (name) => page.locator(section).getByRole("button", { name });
    // A double click is one click: which page is next is not known before the page is there.
    for (const clickCount of [1, 2]) {
      const release = await hold(page, lists);
      await button("Next").click({ clickCount });
      release();
      await eventually("the next page", async () => (await rows.first().textContent()) !== first);
      assert.ok((await rows.count()) <= most);
      await button("Previous").click({ clickCount: 3 - clickCount });
      await eventually("the first page again", async () => (await rows.first().textContent()) === first);
      assert.ok(await button("Previous").isDisabled());
    }
  }
  const { body } = await call("GET", "/v1/items?page_size=1000");
  const last = body.items.at(-1);
  const card = await cardOf(page, last.name);
  await must("PATCH", `/v1/items/${last.id}?update_mask=quantity`, { quantity: 777 });
  await card.getByText("777 in stock").waitFor();
});
