// Connections that end while calls go on, and other transports.

import { readFileSync } from "node:fs";
import { LeftOut, keepsConnection, patience, report, until } from "./checks.mjs";
import { PingPong, bidi_streaming, unary } from "./calls.mjs";
import { measured } from "./limits.mjs";

// How many callers share a connection.
const callers = 4;
// Bytes of an HTTP/2 PING.
const pingSize = 17;

export async function retries(_, connect) {
  if (!connect.has.retries) {
    throw new LeftOut("it retries nothing by itself");
  }
  const server = connect(process.env.SERVER, { retries: true });
  await server.unary({}, { timeoutMs: patience, metadata: [["x-instead", "second-retry"]] });
  server.close();
}

// Servers of gRPC's own libraries close a connection with more than a few pings in five minutes.
export async function keepalive(_, connect) {
  await measured(connect, { keepaliveMs: 20 }, async (server, bytes) => {
    await keepsConnection(server, async () => {
      const stream = new PingPong(server);
      await stream.pingPong(1, 1);
      const before = bytes();
      await until(() => bytes() >= before + 30 * pingSize, "the pings are not answered");
      await stream.pingPong(1, 1);
      await stream.end();
    });
  });
}

export async function tls(_, connect) {
  const server = connect(process.env.TLS_SERVER, { authority: process.env.TLS_AUTHORITY });
  await unary(server);
  await bidi_streaming(server);
  server.close();
}

// connect-es fails a call that it was about to send when GOAWAY came. It has not left Node.js, so it can be made again.
async function repeatRefused(call) {
  try {
    return await call();
  } catch (error) {
    if (error.text !== "Stream closed with error code NGHTTP2_REFUSED_STREAM") {
      throw error;
    }
    return await call();
  }
}

// Makes calls, and a stream that lasts as long, until a call has reported enough. None may fail.
async function keepCalling(server, enough) {
  let done = false;
  const stream = new PingPong(server);
  await stream.pingPong(1, 1);
  const calls = async () => {
    while (!done) {
      done = enough(await repeatRefused(() => report(server))) || done;
    }
  };
  const pings = async () => {
    while (!done) {
      await stream.pingPong(1, 1);
    }
  };
  const ends = await Promise.allSettled([pings(), ...Array.from({ length: callers }, () => calls().finally(() => (done = true)))]);
  for (const { reason } of ends.filter(({ status }) => status === "rejected")) {
    throw reason;
  }
  await stream.end();
}

export async function connection_age(_, connect) {
  const server = connect(process.env.AGING_SERVER);
  const seen = new Set();
  await keepCalling(server, ({ username }) => seen.add(username).size >= 4);
  server.close();
}

export async function drain(_, connect) {
  const server = connect(process.env.DRAINING_SERVER);
  const count = { old: 0, new: 0 };
  await keepCalling(server, ({ serverId }) => {
    count[serverId] += 1;
    if (serverId === "old" && count.old === 20) {
      process.kill(Number(process.env.DRAINING_PROCESS));
    }
    return count.new >= 20;
  });
  server.close();
}

export async function restart_with_wait_for_ready(_, connect) {
  if (!connect.has.waitForReady) {
    throw new LeftOut("it cannot wait for a connection");
  }
  const server = connect(process.env.RESTARTING_SERVER);
  const { serverId } = await report(server);
  process.kill(Number(readFileSync(process.env.RESTARTING_PROCESS_FILE, "utf8")));
  const isAnother = async () => (await report(server, { timeoutMs: patience, waitForReady: true })).serverId !== serverId;
  await until(isAnother, "the proxy was not restarted");
  server.close();
}
