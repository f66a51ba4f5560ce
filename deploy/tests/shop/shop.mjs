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

/** The card of an item, on whichever page of the catalogue it is. */
export async function cardOf(page, name) {
  const catalogue = page.locator("#catalogue");
  await catalogue.locator(".card").first().waitFor();
  return eventually(`the card of ${name}`, async () => {
    const card = catalogue.locator(".card").filter({ has: page.getByRole("heading", { name, exact: true }) });
    if (await card.count()) return card;
    const next = catalogue.getByRole("button", { name: "Next" });
    if ((await next.isVisible()) && (await next.isEnabled())) await next.click();
  });
}

export const chooseUser = async (page, name) => {
  const users = page.locator("#users");
  await users.locator(".choices li").first().waitFor();
  const radio = await eventually(`the user ${name}`, async () => {
    const radio = users.getByRole("radio", { name });
    if (await radio.count()) return radio;
    const next = users.getByRole("button", { name: "Next" });
    if ((await next.isVisible()) && (await next.isEnabled())) await next.click();
  });
  await radio.check();
};

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
