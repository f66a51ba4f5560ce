// What the tests of the pages share: the shop under test, browsers that note what they should not have seen, and patience.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { after } from "node:test";

import { chromium } from "playwright-core";

const { SHOP_URL: url, SHOP_KEY: key, MESH_STATE: state } = process.env;
export { key };

/** How long to wait for something that must happen. */
const PATIENCE = 30_000;

let browser;
after(() => browser?.close());

/**
 * Opens a page in a browser context of its own. `expected` matches the messages of the console that the test causes. At
 * the end of the test, nothing else may be there, and no request to another origin.
 */
export async function open(test, path = "/shop", { expected = /^$/, ...options } = {}) {
  browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium" });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const seen = [];
  context.on("console", (message) => {
    const isBad = ["error", "warning"].includes(message.type());
    if (isBad && !expected.test(message.text())) seen.push(`${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => seen.push(error.error().stack));
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) seen.push(`a request to ${request.url()}`);
  });
  test.after(async () => {
    await context.close();
    assert.deepEqual(seen, []);
  });
  const page = await context.newPage();
  await page.goto(url + path);
  return page;
}

/** For tests that cause HTTP errors: Chromium reports each. */
export const HTTP_ERRORS = /^Failed to load resource: /;

/** Waits until a condition is true, and returns its value. */
export async function eventually(what, condition) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const value = await condition();
    if (value) return value;
  }
  assert.fail(`not within ${PATIENCE / 1000} s: ${what}`);
}

/** Calls the REST API beside the page. */
export async function call(method, path, body) {
  const headers = { "content-type": "application/json", "x-api-key": key };
  const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}

/** The same, and it must succeed. Waits as long as the shop answers 429. */
export async function must(method, path, body) {
  const answer = await eventually(`${method} ${path}`, async () => {
    const answer = await call(method, path, body);
    return answer.status !== 429 && answer;
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** A new item with so many pieces, whose name no other test has. */
export const newItem = (name, quantity) =>
  must("POST", "/v1/items", {
    name,
    description: "for a test",
    quantity,
    price: { currencyCode: "EUR", units: "12", nanos: 500_000_000 },
  });

export const newUser = (name) => must("POST", "/v1/users", { name, address: "1 Test Street" });

const click = (button) => button.click();

/** Turns the pages of a section, on and then back, until it has the row. */
async function turnTo(section, row, press) {
  const first = section.locator("[data-key]").first();
  const key = () => first.getAttribute("data-key");
  await first.waitFor();
  let way = "Next";
  return eventually(`a page with ${row}`, async () => {
    if (await row.count()) return row;
    const button = section.getByRole("button", { name: way });
    if ((await button.isVisible()) && (await button.isEnabled())) {
      const before = await key();
      await press(button);
      await eventually("another page", async () => (await key()) !== before);
    } else {
      way = way === "Next" ? "Previous" : "Next";
    }
  });
}

/** The card of an item, on whichever page of the catalogue it is. `press` presses a button, without the mouse perhaps. */
export function cardOf(page, name, press = click) {
  const catalogue = page.locator("#catalogue");
  const card = catalogue.locator(".card").filter({ has: page.getByRole("heading", { name, exact: true }) });
  return turnTo(catalogue, card, press);
}

/** The same of a user. */
export function radioOf(page, name, press = click) {
  const users = page.locator("#users");
  return turnTo(users, users.getByRole("radio", { name }), press);
}

export const chooseUser = async (page, name) => (await radioOf(page, name)).check();

/** Tells the page that its window is hidden, or visible again. */
export const setHidden = (page, hidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

/** Holds the requests of a path until the function that it returns is called. */
export async function hold(page, path) {
  let letGo;
  const released = new Promise((resolve) => (letGo = resolve));
  await page.route(path, async (route) => {
    await released;
    await route.continue();
  });
  return letGo;
}

/** Types the key into the dialog that asks for it. */
export async function enterKey(page, text = key) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Key", { exact: true }).fill(text);
  await dialog.getByRole("button", { name: "Use key" }).click();
}

/** Waits until a part of the page contains a text; if it never does, says what it contains. */
export async function says(part, text) {
  let last;
  const contains = async () => {
    last = (await part.isVisible()) ? await part.innerText() : "(not visible)";
    return last.includes(text);
  };
  await eventually(text, contains).catch((error) => assert.fail(`${error.message}; the page says: ${last}`));
}

/** The same for the message at the edge of the window. */
export const notice = (page, text) => says(page.locator("#notice"), text);

const file = (pod, name) => `${state}/pods/${pod}/${name}`;

/** Ends a program of a pod, as a crash would. */
export function kill(pod, program) {
  process.kill(Number(readFileSync(file(pod, `${program}.pid`), "utf8")), "SIGKILL");
}

/** Starts it again, as script/run did. */
export function restart(pod, program) {
  const { status } = spawnSync("setsid", ["--fork", file(pod, `${program}.start`)]);
  assert.equal(status, 0);
}

/** The pods of an app. */
export const podsOf = (app) =>
  readFileSync(`${state}/pods.tsv`, "utf8")
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([pod, of]) => of === app && existsSync(file(pod, "etc")))
    .map(([pod]) => pod);
