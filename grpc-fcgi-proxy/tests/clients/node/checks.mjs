// What the cases check with.

import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

export const patience = 20_000;

// By their numbers in gRPC.
export const Code = {
  Canceled: 1, Unknown: 2, InvalidArgument: 3, DeadlineExceeded: 4, ResourceExhausted: 8, FailedPrecondition: 9, Internal: 13, Unavailable: 14,
};

// A case that a client does not have.
export class LeftOut extends Error {}

// The status of a call, from any client.
export class Failure extends Error {
  constructor(code, message, details) {
    super(`${code}: ${message}`);
    this.code = code;
    this.text = message;
    this.details = details;
  }
}

export function require(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

export function equal(seen, expected, what) {
  require(isDeepStrictEqual(seen, expected), `${what}: ${brief(seen)} instead of ${brief(expected)}`);
}

function brief(value) {
  return (typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, 300);
}

// The status that a call ends with.
export async function failure(call) {
  try {
    await call;
  } catch (error) {
    require(error instanceof Failure, String(error.stack));
    return error;
  }
  throw new Error("OK instead of an error");
}

export async function endsWith(call, code, message) {
  const { code: seen, text } = await failure(call);
  equal(seen, code, `code of "${text}"`);
  if (message !== undefined) {
    equal(text, message, "message");
  }
}

export async function until(condition, what) {
  for (const end = Date.now() + patience; !(await condition()); await sleep(10)) {
    require(Date.now() < end, what);
  }
}

// Fails if the calls end the connection.
export async function keepsConnection(server, calls) {
  const before = await report(server);
  await calls();
  equal((await report(server)).username, before.username, "the client's address after the call");
}

// What the script knows of a call: see index.php.
export async function report(server, options = { timeoutMs: patience }) {
  return (await server.unary({}, { ...options, metadata: [["x-instead", "report"]] })).response;
}

// Requests of a stream, sent one by one until the half-close.
export class Requests {
  #queue = [];
  #wake = () => {};

  send(request) {
    this.#queue.push(request);
    this.#wake();
  }

  halfClose() {
    this.send(undefined);
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#queue.length === 0) {
        await new Promise((resolve) => (this.#wake = resolve));
      }
      const request = this.#queue.shift();
      if (request === undefined) {
        return;
      }
      yield request;
    }
  }
}
