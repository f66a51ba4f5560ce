// grpc-js, as the cases call it.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { EchoStatusSchema } from "./generated/grpc/testing/test_pb.js";
import { StatusSchema } from "./generated/google/rpc/status_pb.js";
import { Code, Failure } from "./checks.mjs";

const contract = fileURLToPath(new URL("generated/grpc/testing/test.proto", import.meta.url));
const { TestService } = grpc.loadPackageDefinition(loader.loadSync(contract, { defaults: true })).grpc.testing;

// The package has no type for the details of a status.
function failure(error) {
  const encoded = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = encoded.flatMap((bytes) => fromBinary(StatusSchema, bytes).details);
  return new Failure(error.code, error.details, details.map((detail) => anyUnpack(detail, EchoStatusSchema)));
}

const retryPolicy = {
  maxAttempts: 4, initialBackoff: "0.01s", maxBackoff: "0.01s", backoffMultiplier: 1, retryableStatusCodes: ["UNAVAILABLE"],
};

function channelOptions({ gzip, maxReceive, keepaliveMs, retries }) {
  return {
    "grpc.use_local_subchannel_pool": 1,
    ...(gzip && { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip }),
    ...(maxReceive && { "grpc.max_receive_message_length": maxReceive }),
    ...(keepaliveMs && { "grpc.keepalive_time_ms": keepaliveMs }),
    ...(retries && { "grpc.service_config": JSON.stringify({ methodConfig: [{ name: [{}], retryPolicy }] }) }),
  };
}

function metadata({ metadata: entries = [], waitForReady = false }) {
  const all = new grpc.Metadata({ waitForReady });
  entries.forEach(([key, value]) => all.add(key, value));
  return all;
}

function callOptions({ timeoutMs, signal }, call) {
  signal?.addEventListener("abort", () => call().cancel());
  return timeoutMs ? { deadline: Date.now() + timeoutMs } : {};
}

async function* responses(call) {
  try {
    yield* call;
  } catch (error) {
    throw failure(error);
  }
}

async function write(call, requests) {
  for await (const request of requests) {
    call.write(request);
  }
  call.end();
}

export function grpcJs(address, options = {}) {
  const credentials = options.authority
    ? grpc.credentials.createSsl(readFileSync(options.authority))
    : grpc.credentials.createInsecure();
  const client = new TestService(address, credentials, channelOptions(options));
  // Of a call with one response. Begin is given what the method takes last.
  const response = (settings, begin) =>
    new Promise((resolve, reject) => {
      const result = {};
      const call = begin(metadata(settings), callOptions(settings, () => call), (error, message) => {
        result.response = message;
        result.failure = error && failure(error);
      });
      call.on("metadata", (header) => (result.header = header));
      call.on("status", ({ metadata: trailer }) => setImmediate(() => {
        result.failure ? reject(result.failure) : resolve({ ...result, trailer });
      }));
    });
  return {
    unary: (request, settings = {}) => response(settings, (...last) => client.unaryCall(request, ...last)),
    clientStreaming: (requests, settings = {}) =>
      response(settings, (...last) => {
        const call = client.streamingInputCall(...last);
        write(call, requests);
        return call;
      }),
    serverStreaming(request, settings = {}) {
      const call = client.streamingOutputCall(request, metadata(settings), callOptions(settings, () => call));
      return responses(call);
    },
    bidiStreaming(requests, settings = {}) {
      const call = client.fullDuplexCall(metadata(settings), callOptions(settings, () => call));
      write(call, requests);
      return responses(call);
    },
    close: () => client.close(),
  };
}

// It sends any metadata, and reads the proxy's HTTP status 431.
grpcJs.has = { retries: true, waitForReady: true, tooMuchMetadata: Code.Unknown };
