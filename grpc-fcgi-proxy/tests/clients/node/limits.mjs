// Compression, and the limits on metadata and messages.

import { createServer, connect as dial } from "node:net";
import { once } from "node:events";
import { Buffer } from "node:buffer";
import { Code, endsWith, equal, keepsConnection, patience, require } from "./checks.mjs";
import { initialKey, trailingKey, zeros } from "./calls.mjs";

const kib = 1 << 10;
const mib = 1 << 20;
// HTTP/2 counts 32 bytes for each field on top of name and value.
const fieldOverhead = 32;
// Bytes of the message around a payload of megabytes.
const payloadOverhead = 10;
// The proxy's default limits.
const maxRequest = 4 * mib;
const maxResponse = 16 * mib;
const patient = { timeoutMs: patience };

export async function metadata_of_8_kib(server) {
  const text = "v".repeat(8 * kib - fieldOverhead - initialKey.length);
  const { header } = await server.unary({}, { ...patient, metadata: [[initialKey, text]] });
  equal(header.get(initialKey), [text], "initial metadata");
  const bytes = Buffer.alloc(Math.floor(((8 * kib - fieldOverhead - trailingKey.length) * 3) / 4), 0xab);
  const { trailer } = await server.unary({}, { ...patient, metadata: [[trailingKey, bytes]] });
  equal(trailer.get(trailingKey).map((value) => value.toString("hex")), [bytes.toString("hex")], "trailing metadata");
}

export async function metadata_over_the_limit(server, connect) {
  const calls = (key, size) => server.unary({}, { ...patient, metadata: [[key, "v".repeat(size)]] });
  await keepsConnection(server, async () => {
    await endsWith(calls("x-long", 20 * kib), Code.ResourceExhausted, "the metadata exceeds the size limit");
    await endsWith(calls(initialKey, 10 * kib), Code.ResourceExhausted, "the application's metadata exceeds the size limit");
    // More than the proxy's HTTP/2 takes.
    await endsWith(calls("x-long", 100 * kib), connect.has.tooMuchMetadata);
  });
}

const expecting = (value) => ({ payload: zeros(1000), expectCompressed: { value } });

export async function gzip_requests(server, connect) {
  await endsWith(server.unary(expecting(true), patient), Code.InvalidArgument, "the request message was uncompressed");
  await server.unary(expecting(false), patient);
  const gzipping = connect(process.env.SERVER, { gzip: true });
  await gzipping.unary(expecting(true), patient);
  async function* requests() {
    yield expecting(true);
    yield expecting(true);
  }
  const { response } = await gzipping.clientStreaming(requests(), patient);
  equal(response.aggregatedPayloadSize, 2000, "size");
  gzipping.close();
}

// A server behind a relay that counts its bytes: the clients do not report what was compressed.
export async function measured(connect, options, run) {
  let bytes = 0;
  const [host, port] = process.env.SERVER.split(":");
  const relay = createServer((client) => {
    const server = dial(port, host);
    server.on("data", (content) => (bytes += content.length));
    client.pipe(server).pipe(client);
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const server = connect(`127.0.0.1:${relay.address().port}`, options);
  try {
    await run(server, () => bytes);
  } finally {
    server.close();
    relay.close();
  }
}

export async function gzip_responses(_, connect) {
  for (const compressed of [true, false]) {
    await measured(connect, {}, async (server, bytes) => {
      const { response } = await server.unary({ responseSize: 314159, responseCompressed: { value: compressed } }, patient);
      equal(response.payload.body.length, 314159, "size");
      equal(bytes() < 314159, compressed, "compressed");
    });
  }
}

// A single request of a stream cannot be exempted.
export async function gzip_single_messages(_, connect) {
  await measured(connect, {}, async (server, bytes) => {
    const wanted = [{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }];
    const sizes = [];
    for await (const { payload } of server.serverStreaming({ responseParameters: wanted }, patient)) {
      sizes.push(payload.body.length);
    }
    equal(sizes, [31415, 92653], "sizes");
    require(bytes() > 92653 && bytes() < 92653 + 31415, `${bytes()} bytes: not only the first one is compressed`);
  });
}

async function transfer(server, requestSize, responseSize) {
  // proto-loader encodes zeros, too.
  const request = { ...(responseSize && { responseSize }), ...(requestSize && { payload: zeros(requestSize) }) };
  const { response } = await server.unary(request, patient);
  equal(response.payload?.body.length ?? 0, responseSize, "size");
}

export async function messages_at_the_limit(_, connect) {
  const server = connect(process.env.SERVER, { maxReceive: maxResponse });
  await transfer(server, maxRequest - payloadOverhead, 0);
  await transfer(server, 0, maxResponse - payloadOverhead);
  server.close();
}

export async function messages_over_the_limit(_, connect) {
  const server = connect(process.env.SERVER, { maxReceive: 2 * maxResponse });
  await keepsConnection(server, async () => {
    await endsWith(
      transfer(server, maxRequest - payloadOverhead + 1, 0), Code.ResourceExhausted, "the request message exceeds the size limit",
    );
    await endsWith(
      transfer(server, 0, maxResponse - payloadOverhead + 1),
      Code.ResourceExhausted,
      "the application's answer exceeds the size limit",
    );
  });
  server.close();
}

export async function messages_over_the_clients_limit(_, connect) {
  const server = connect(process.env.SERVER, { maxReceive: 4 * mib });
  await keepsConnection(server, () => endsWith(transfer(server, 0, 5 * mib), Code.ResourceExhausted));
  server.close();
}
