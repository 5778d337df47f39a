import { expect, test } from "vitest";
import { stageOf } from "./stage-costs.ts";

test.each([
  ["encode and decode messages", "toBinary", "file:///w/node_modules/@bufbuild/protobuf/dist/esm/to-binary.js"],
  ["validate", "validate", "file:///w/mesh/server/request-validation.ts"],
  ["pick", "begin", "file:///w/mesh/client/balancer.ts"],
  ["budget and breaker", "earn", "file:///w/mesh/resilience/retry-budget.ts"],
  ["HTTP/2, TLS, sockets, streams", "writev", ""],
  ["HTTP/2, TLS, sockets, streams", "onread", "node:internal/stream_base_commons"],
  ["promises", "runMicrotasks", ""],
  ["garbage collection", "(garbage collector)", ""],
  ["the bench itself", "loop", "file:///w/tools/bench/load.ts"],
  ["grpc-js", "write", "file:///w/tools/bench/peers/node_modules/@grpc/grpc-js/build/src/stream-decoder.js"],
  ["other", "f", "file:///elsewhere.js"],
])("%s: %s", (stage, functionName, url) => {
  expect(stageOf({ functionName, url, lineNumber: 1 })).toBe(stage);
});
