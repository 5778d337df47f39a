import type { CallFrame } from "../cpu-profile.ts";

/** The first whose pattern fits a function's place is its stage: what a call's microseconds are spent on. */
const stages: readonly (readonly [stage: string, place: RegExp])[] = [
  ["the bench itself", /\/tools\/bench\/(?!peers\/node_modules\/)/],
  ["Connect's client", /\/@connectrpc\//],
  ["validate", /\/@bufbuild\/(protovalidate|cel)|\/mesh\/server\/request-validation/],
  [
    "encode and decode messages",
    /\/(@bufbuild\/protobuf|protobufjs|proto-loader)\/|\/mesh\/gen\/|copy-message|message-codec|malformed/,
  ],
  ["tunnel: frames", /\/mesh\/tunnel\/|\/mesh\/client\/tunnel|\/mesh\/server\/tunnel/],
  ["observe: trace and metrics", /\/mesh\/telemetry\/|\/@opentelemetry\/|\/observe|trace-ids/],
  ["context: deadline, cancellation, ambient call", /\/mesh\/context\/|async_hooks|async_context/],
  ["budget and breaker", /\/mesh\/resilience\/|\/cockatiel\//],
  ["pick", /\/mesh\/client\/(target|balanc|endpoint|outlier|weighted|subset|round-robin)/],
  ["client: the rest of its pipeline", /\/mesh\/client\//],
  ["server: authorize, admit", /\/mesh\/server\/(authorize|admission|limit|overload|shed|calls-in-hand|peer)/],
  ["server: the rest of its pipeline", /\/mesh\/server\//],
  ["other of the mesh", /\/mesh\//],
  ["grpc-js", /\/@grpc\//],
  ["HTTP/2, TLS, sockets, streams", /^node:/],
];

/** The stage of a call that a function belongs to. */
export function stageOf({ functionName, url }: CallFrame): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (url === "") return functionName === "runMicrotasks" ? "promises" : "HTTP/2, TLS, sockets, streams";
  return stages.find(([, place]) => place.test(url))?.[0] ?? "other";
}
