// connect-es, as the cases call it.

import { readFileSync } from "node:fs";
import { ConnectError, createClient, decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import {
  Http2SessionManager, compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { EchoStatusSchema, TestService } from "./generated/grpc/testing/test_pb.js";
import { Code, Failure } from "./checks.mjs";

const transports = { connect: createConnectTransport, grpc: createGrpcTransport, "grpc-web": createGrpcWebTransport };

function failure(error) {
  return error instanceof ConnectError
    ? new Failure(error.code, error.rawMessage, error.findDetails(EchoStatusSchema))
    : error;
}

async function failing(call) {
  try {
    return await call;
  } catch (error) {
    throw failure(error);
  }
}

async function* responses(call) {
  try {
    yield* call;
  } catch (error) {
    throw failure(error);
  }
}

function headers({ metadata = [] }) {
  const all = new Headers();
  metadata.forEach(([key, value]) => all.append(key, key.endsWith("-bin") ? encodeBinaryHeader(value) : value));
  return all;
}

// Several values of a key are one of Headers.
function values(headers) {
  return {
    get: (key) => {
      const joined = headers.get(key);
      if (joined === null) {
        return [];
      }
      return key.endsWith("-bin") ? joined.split(",").map((value) => Buffer.from(decodeBinaryHeader(value.trim()))) : [joined];
    },
  };
}

// connectEs returns the clients of a protocol.
export function connectEs(protocol) {
  function connect(address, { gzip, maxReceive, keepaliveMs, authority } = {}) {
    const baseUrl = `${authority ? "https" : "http"}://${address}`;
    const sessionManager = new Http2SessionManager(
      baseUrl,
      keepaliveMs && { pingIntervalMs: keepaliveMs },
      authority && { ca: readFileSync(authority) },
    );
    const client = createClient(TestService, transports[protocol]({
      baseUrl,
      httpVersion: "2",
      sessionManager,
      ...(gzip && { sendCompression: compressionGzip, compressMinBytes: 0 }),
      ...(maxReceive && { readMaxBytes: maxReceive }),
    }));
    const settings = ({ metadata, timeoutMs, signal }) => ({ headers: headers({ metadata }), timeoutMs, signal });
    const response = async (options, call) => {
      const result = {};
      result.response = await failing(call({
        ...settings(options),
        onHeader: (header) => (result.header = values(header)),
        onTrailer: (trailer) => (result.trailer = values(trailer)),
      }));
      return result;
    };
    return {
      unary: (request, options = {}) => response(options, (last) => client.unaryCall(request, last)),
      clientStreaming: (requests, options = {}) => response(options, (last) => client.streamingInputCall(requests, last)),
      serverStreaming: (request, options = {}) => responses(client.streamingOutputCall(request, settings(options))),
      bidiStreaming: (requests, options = {}) => responses(client.fullDuplexCall(requests, settings(options))),
      close: () => sessionManager.abort(),
    };
  }
  // Node.js refuses to send more metadata than the proxy takes.
  connect.has = { retries: false, waitForReady: false, tooMuchMetadata: Code.Internal };
  return connect;
}
