// The cases of script/clients with grpc-js and connect-es. Prints a line for each: its name, a tab, and "ok", "left out: " and
// the reason, or the error.
//
// Usage: client.mjs grpc-js|grpc|grpc-web|connect; the last three are protocols of connect-es.

import * as calls from "./calls.mjs";
import * as limits from "./limits.mjs";
import * as connections from "./connections.mjs";
import { LeftOut } from "./checks.mjs";
import { connectEs } from "./connect_es.mjs";
import { grpcJs } from "./grpc_js.mjs";

const connect = process.argv[2] === "grpc-js" ? grpcJs : connectEs(process.argv[2]);
const cases = { ...calls, ...limits, ...connections };
const order = [
  "unary", "client_streaming", "server_streaming", "bidi_streaming",
  "metadata", "metadata_of_8_kib", "metadata_over_the_limit", "error_details",
  "deadline", "cancellation",
  "gzip_requests", "gzip_responses", "gzip_single_messages",
  "messages_at_the_limit", "messages_over_the_limit", "messages_over_the_clients_limit",
  "retries", "keepalive", "tls", "connection_age", "drain", "restart_with_wait_for_ready",
];

const server = connect(process.env.SERVER);
for (const name of order) {
  let outcome = "ok";
  try {
    await cases[name](server, connect);
  } catch (error) {
    const text = `${error.message || error}`.split(/\s+/).join(" ");
    outcome = error instanceof LeftOut ? `left out: ${text}` : text;
  }
  console.log(`${name}\t${outcome}`);
}
server.close();
