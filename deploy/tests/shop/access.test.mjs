// Who reads the pages: by keyboard, with a screen reader, on a phone, in the dark.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

import { cardOf, chooseUser, eventually, key, newItem, newUser, notice, open, radioOf } from "./shop.mjs";

const name = (what) => `${what} ${randomUUID().slice(0, 8)}`;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { width: 320, height: 640 };

/** What axe-core finds, of every rule but the contrast of level AAA. */
async function audit(page, what) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const ids = window.axe.getRules().map(({ ruleId }) => ruleId);
    const rules = Object.fromEntries(ids.map((id) => [id, { enabled: id !== "color-contrast-enhanced" }]));
    return (await window.axe.run({ rules })).violations;
  });
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], what);
}

async function fullShop(t, options) {
  const [item, user] = [await newItem(name("read"), 3), await newUser(name("Reader"))];
  const page = await open(t, "/shop", { bypassCSP: true, ...options });
  await chooseUser(page, user.name);
  await (await cardOf(page, item.name)).getByRole("button").click();
  await page.getByText("No orders.").waitFor();
  return page;
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe-core finds nothing, ${colorScheme}`, async (t) => {
    const page = await fullShop(t, { colorScheme });
    await audit(page, "the shop");
    await page.getByText("New user").click();
    await audit(page, "the form of a user");
    await page.getByRole("button", { name: "Place order" }).click();
    await audit(page, "the dialog for the key");
    await page.keyboard.press("Escape");
    await notice(page, "Not allowed");
    await audit(page, "the message");
    await page.getByRole("link", { name: "Mesh" }).click();
    await page.locator("#edge-rows tr").first().waitFor();
    await audit(page, "the map");
  });
}

test("the colours follow the browser's scheme", async (t) => {
  const [light, dark] = [
    await open(t, "/shop", { colorScheme: "light" }),
    await open(t, "/shop", { colorScheme: "dark" }),
  ];
  const [day, night] = await Promise.all(
    [light, dark].map((page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor)),
  );
  assert.notEqual(day, night);
});

/** Presses a key until the focus is on the element, or in it. */
async function moveTo(target, how = "Tab") {
  for (let presses = 0; presses < 200; presses++) {
    await target.page().keyboard.press(how);
    const outline = await target.evaluate((node) => {
      const { activeElement } = document;
      return node.contains(activeElement) && getComputedStyle(activeElement).outlineStyle;
    });
    if (!outline) continue;
    assert.notEqual(outline, "none", `the focus on ${target} is not visible`);
    return;
  }
  assert.fail(`${how} does not reach ${target}`);
}

/** Presses a button without the mouse. */
async function type(button) {
  await moveTo(button);
  await button.page().keyboard.press("Enter");
}

test("an order is placed and deleted with the keyboard alone", async (t) => {
  const [item, user] = [await newItem(name("typed"), 5), await newUser(name("Typist"))];
  const page = await open(t);
  await page.locator("#users .choices li").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the items");
  await page.keyboard.press("Enter");
  await type((await cardOf(page, item.name, type)).getByRole("button"));
  const radio = await radioOf(page, user.name, type);
  await moveTo(page.locator("#users .choices"));
  // Of a group, Tab reaches one radio button, and the arrows the others.
  await page.keyboard.press("Space");
  if (!(await radio.isChecked())) await moveTo(radio, "ArrowDown");
  await type(page.getByRole("button", { name: `Place order for ${user.name}` }));
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type(key);
  await page.keyboard.press("Enter");
  await notice(page, "Order placed");
  await page.locator("#orders").getByText(`1 × ${item.name}`).waitFor();
  await type(page.getByRole("button", { name: "Delete order" }));
  await page.getByRole("dialog").waitFor();
  // What changes nothing is chosen first.
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await notice(page, "Order deleted");
  await eventually("the focus is where the orders are", () =>
    page.evaluate(() => document.activeElement === document.querySelector("#orders h2")),
  );
});

for (const path of ["/shop", "/shop/mesh"]) {
  test(`${path} fits a phone, whatever the texts are`, async (t) => {
    const user = await newUser(name("W".repeat(200)));
    const item = await newItem(name("M".repeat(200)), 3);
    const page = await open(t, path, { viewport: PHONE });
    if (path === "/shop") {
      await chooseUser(page, user.name);
      await (await cardOf(page, item.name)).getByRole("button").click();
      await page.getByText("New user").click();
      await page.getByRole("button", { name: "Place order" }).click();
      await page.keyboard.press("Escape");
      await notice(page, "Not allowed");
    } else {
      await page.locator("#edge-rows tr").first().waitFor();
    }
    const widest = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(widest <= PHONE.width, `${widest} px`);
  });
}

for (const [what, viewport] of [
  ["a phone", PHONE],
  ["a desk", { width: 1280, height: 900 }],
]) {
  test(`nothing moves while the page loads on ${what}`, async (t) => {
    const page = await open(t, "/shop", { viewport });
    await page.locator("#catalogue .card").first().waitFor();
    await page.locator("#users .choices li").first().waitFor();
    await page.getByRole("status").getByText("live", { exact: true }).waitFor();
    const shifts = await page.evaluate(
      () =>
        new Promise((done) => {
          new PerformanceObserver((list) => done(list.getEntries().map(describe))).observe({
            type: "layout-shift",
            buffered: true,
          });
          const describe = ({ value, sources }) => ({
            value,
            moved: sources.map(({ node }) => node?.id || node?.className),
          });
          // Without a shift, the observer stays silent.
          requestAnimationFrame(() => requestAnimationFrame(() => done([])));
        }),
    );
    // "Good" is below 0.1: https://web.dev/articles/cls
    const sum = shifts.reduce((sum, { value }) => sum + value, 0);
    assert.ok(sum < 0.05, JSON.stringify(shifts));
  });
}
