// Calls of the REST API at /v1/, and what went wrong with one.

import { ask } from "./dialogs.js";
import { find } from "./dom.js";

const PATIENCE = 10_000;
const STORED = "x-api-key";

/** A call that failed. The kind is for programs, title and message are for people. */
export class CallError extends Error {
  constructor(kind, title, message, soldOut = []) {
    super(message);
    Object.assign(this, { kind, title, soldOut });
  }
}

/** Reads. Without an answer it is an error, as with one that is an error. */
export const read = (path, signal) => call("GET", path, { signal });

/** Writes, which takes the key. It is asked for once, and again if it is refused. */
export async function write(method, path, body) {
  for (let refused = false; ; refused = true) {
    const key = sessionStorage.getItem(STORED) ?? (await askForKey(refused));
    if (!key) throw denied("Nothing was changed: changes need the key.");
    try {
      return await call(method, path, { key, body });
    } catch (error) {
      if (error.kind !== "not-allowed") throw error;
      forgetKey();
    }
  }
}

export const hasKey = () => sessionStorage.getItem(STORED) !== null;

export function forgetKey() {
  sessionStorage.removeItem(STORED);
  dispatchEvent(new Event("key"));
}

/** Returns "" if the user does not give it. It stays in this tab, until the tab is closed. */
export async function askForKey(refused = false) {
  const dialog = find("#key-dialog");
  const input = find("input", dialog);
  find(".failure", dialog).hidden = !refused;
  input.value = "";
  const answer = await ask(dialog);
  const key = input.value.trim();
  input.value = "";
  if (answer !== "use" || !key) return "";
  sessionStorage.setItem(STORED, key);
  dispatchEvent(new Event("key"));
  return key;
}

async function call(method, path, { key, body, signal }) {
  const headers = new Headers({ accept: "application/json" });
  if (body) headers.set("content-type", "application/json");
  try {
    if (key) headers.set("x-api-key", key);
  } catch {
    throw denied("The key has characters that no key has.");
  }
  const patience = AbortSignal.timeout(PATIENCE);
  const request = {
    method,
    headers,
    body: body && JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, patience]) : patience,
  };
  let response;
  let answer;
  try {
    response = await fetch(path, request);
    answer = await response.json().catch((error) => {
      // An error of a proxy on the way need not be JSON.
      if (response.ok) throw error;
      return {};
    });
  } catch (error) {
    throw error.name === "TimeoutError"
      ? down(path)
      : new CallError("unreachable", "No answer", "The shop cannot be reached. Is the connection up?");
  }
  if (!response.ok) throw errorOf(response.status, answer, path);
  return answer;
}

const denied = (message) => new CallError("not-allowed", "Not allowed", message);

const WANTED = { users: "Users", orders: "Orders", items: "Items" };

/** It names what the user does not get, not who is down: when item is, order answers so. */
const down = (path) => {
  const [, list] = path.match(/^\/v1\/(\w+)/);
  return new CallError("down", "Service down", `${WANTED[list]} are not available just now.`);
};

/** By the HTTP status; the answer is a google.rpc.Status, unless it came from a proxy on the way. */
function errorOf(status, { message = `HTTP ${status}`, details = [] }, path) {
  const info = details.find((detail) => detail.reason === "OUT_OF_STOCK");
  if (info) {
    const soldOut = info.metadata?.item?.split(",") ?? [];
    return new CallError(
      "out-of-stock",
      "Out of stock",
      "Somebody was faster. Take fewer pieces, or another item.",
      soldOut,
    );
  }
  switch (status) {
    case 401:
    case 403:
      return denied("The key was refused.");
    case 404:
      return new CallError("missing", "Not found", message);
    case 429:
      return new CallError("flooded", "Too many requests", "The shop is busy. Wait a few seconds, and try again.");
    case 502:
    case 503:
    case 504:
      return down(path);
    default:
      return new CallError("failed", status < 500 ? "Refused" : "That failed", message);
  }
}
