// The kinds of calls, what they carry, and how they end.

import { Buffer } from "node:buffer";
import { Code, Requests, endsWith, equal, failure, keepsConnection, patience, report, require, until } from "./checks.mjs";

export const initialKey = "x-grpc-test-echo-initial";
export const trailingKey = "x-grpc-test-echo-trailing-bin";
const requestSizes = [27182, 8, 1828, 45904];
const responseSizes = [31415, 9, 2653, 58979];
const patient = { timeoutMs: patience };

export const zeros = (size) => ({ body: Buffer.alloc(size) });

export async function unary(server) {
  const { response } = await server.unary({ payload: zeros(271828), responseSize: 314159 }, patient);
  equal(response.payload.body.length, 314159, "size");
}

export async function client_streaming(server) {
  async function* requests() {
    for (const size of requestSizes) {
      yield { payload: zeros(size) };
    }
  }
  const { response } = await server.clientStreaming(requests(), patient);
  equal(response.aggregatedPayloadSize, 74922, "size");
}

export async function server_streaming(server) {
  const request = { responseParameters: responseSizes.map((size) => ({ size })) };
  const sizes = [];
  for await (const { payload } of server.serverStreaming(request, patient)) {
    sizes.push(payload.body.length);
  }
  equal(sizes, responseSizes, "sizes");
}

export async function bidi_streaming(server) {
  const stream = new PingPong(server);
  for (const [index, size] of requestSizes.entries()) {
    await stream.pingPong(size, responseSizes[index]);
  }
  await stream.end();
}

// A stream that gets a response to each request.
export class PingPong {
  #requests = new Requests();
  #responses;

  constructor(server, options = patient) {
    this.#responses = server.bidiStreaming(this.#requests, options)[Symbol.asyncIterator]();
  }

  async pingPong(requestSize, size) {
    this.send({ payload: zeros(requestSize), responseParameters: [{ size }] });
    equal((await this.next()).value?.payload.body.length, size, "size");
  }

  send(request) {
    this.#requests.send(request);
  }

  next() {
    return this.#responses.next();
  }

  async end() {
    this.#requests.halfClose();
    equal((await this.next()).done, true, "end");
  }
}

export async function metadata(server) {
  const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
  const sent = [
    [initialKey, "b"], [initialKey, "a, c"], [trailingKey, all], [trailingKey, Buffer.alloc(0)], [trailingKey, Buffer.from([0xab])],
  ];
  const { header, trailer } = await server.unary({}, { ...patient, metadata: sent });
  // Clients differ in whether they join several values.
  equal(header.get(initialKey).join(", "), "b, a, c", "initial metadata");
  equal(trailer.get(trailingKey).map((value) => value.toString("hex")), [all.toString("hex"), "", "ab"], "trailing metadata");
}

export async function error_details(server) {
  const status = await failure(server.unary({}, { ...patient, metadata: [["x-instead", "details"]] }));
  equal(status.code, Code.FailedPrecondition, "code");
  equal(status.text, "not yet: ☺", "message");
  equal(status.details.map(({ code, message }) => ({ code, message })), [{ code: 7, message: "a detail" }], "details");
}

export async function deadline(server) {
  equal((await report(server, {})).oauthScope, "no deadline", "deadline of the script");
  const left = Number((await report(server)).oauthScope);
  require(left > 0 && left <= patience / 1000, `seconds left: ${left}`);
  await keepsConnection(server, async () => {
    // The proxy's time and the client's end at once: either may be first.
    const count = () => handled("StreamingOutputCall", "DeadlineExceeded|Canceled");
    const seen = await count();
    const request = { responseParameters: [{ size: 1, intervalUs: 1_000_000 }] };
    await endsWith(server.serverStreaming(request, { timeoutMs: 100 }).next(), Code.DeadlineExceeded);
    await until(async () => (await count()) === seen + 1, "the proxy does not count the call");
  });
}

export async function cancellation(server) {
  await keepsConnection(server, async () => {
    const count = () => handled("FullDuplexCall", "Canceled");
    const seen = await count();
    const abort = new AbortController();
    const stream = new PingPong(server, { ...patient, signal: abort.signal });
    // Node.js ends the request before it resets the stream: the service must be busy then, or the call ends well.
    stream.send({ responseParameters: [{ size: 1 }, { size: 1, intervalUs: 1_000_000 }] });
    await stream.next();
    abort.abort();
    await endsWith(stream.next(), Code.Canceled);
    await until(async () => (await count()) === seen + 1, "the proxy does not count the call");
  });
}

// How many calls of a method the proxy has ended with one of the codes.
async function handled(method, code) {
  const lines = await (await fetch(process.env.SERVER_METRICS)).text();
  const isOf = new RegExp(`^grpc_server_handled_total\\{grpc_code="(?:${code})",grpc_method="${method}",.*\\} (\\d+)$`, "gm");
  return [...lines.matchAll(isOf)].reduce((sum, [, count]) => sum + Number(count), 0);
}
