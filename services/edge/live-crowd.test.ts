import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createBroker, createDirectPublisher, type DirectPublisher } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { FollowRequestSchema } from "../../gen/shop/api/v1/live_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { StockReservedSchema } from "../../gen/shop/inventory/v1/events_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { startNats } from "../../tools/dev/testing/engines.ts";
import { recordFigures } from "../../tools/dev/testing/figures.ts";
import { type EdgeProcess, startEdgeProcess } from "./testing/edge-process.ts";
import { type Follower, openConnection, startFollowing } from "./testing/follower.ts";
import { startTestEdge, type TestEdge } from "./testing.ts";

const callerCount = 1_000;
const connectionCount = 5;
/** All of them follow this one, and one of the others each. */
const hot = "HOT";
const skus = Array.from({ length: 99 }, (_, index) => `S${index}`);
const rounds = { warmUp: 20, storm: 60 };
/** One would do for the callers; with so many, what is kept for them shows. */
const deafCount = 20;
const megabyte = 1_048_576;

const resources = new AsyncDisposableStack();
let edge: TestEdge;
let edgeProcess: EdgeProcess;
let publisher: DirectPublisher;
const stock = new Map<string, bigint>();
let reads = 0;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), "weft-crowd-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const nats = resources.use(await startNats());
  edge = resources.use(
    await startTestEdge(
      {
        catalog: (router) =>
          router.service(CatalogService, {
            batchGetProducts: (request) => ({ products: request.skus.map((sku) => ({ sku, name: `The ${sku}` })) }),
          }),
        inventory: (router) =>
          router.service(InventoryService, {
            batchGetStock(request) {
              reads += 1;
              return { levels: request.skus.map((sku) => ({ sku, available: stock.get(sku) ?? 0n })) };
            },
          }),
      },
      { NATS_URL: nats.url },
      async (env) => {
        edgeProcess = await startEdgeProcess(env, directory);
        return edgeProcess;
      },
    ),
  );
  const telemetry = resources.use(createTelemetry({ service: "test", write: () => undefined }));
  const broker = resources.use(createBroker({ url: nats.url, service: "test", telemetry }));
  publisher = resources.use(createDirectPublisher({ broker, telemetry }));
});
afterAll(() => resources.disposeAsync());

function setStock(which: readonly string[], available: bigint): void {
  for (const sku of which) stock.set(sku, available);
  publisher.publish(StockReservedSchema, { orderId: "ord_1", lines: which.map((sku) => ({ sku, quantity: 1 })) });
}

/** Somebody who remembers the newest of each product, and when it came. */
interface Caller extends Follower {
  readonly newest: ReadonlyMap<string, { readonly available: bigint | undefined; readonly atMs: number }>;
}

function call(transport: Transport, ...which: string[]): Caller {
  const newest = new Map<string, { available: bigint | undefined; atMs: number }>();
  const following = startFollowing(transport, which, ({ sku, available }) => {
    newest.set(sku, { available, atMs: performance.now() });
  });
  return { newest, ...following };
}

/** The products that each of the crowd follows. */
const ofCaller = (index: number) => [hot, skus[index % skus.length] ?? ""];

const lacking = (callers: readonly Caller[], available: bigint, only?: string) =>
  callers.filter(({ newest }) =>
    [...newest].some(([sku, state]) => (only === undefined || sku === only) && state.available !== available),
  ).length;

/** Not expect.poll, which keeps what it has compared. */
const untilAllKnow = (callers: readonly Caller[], available: bigint, only?: string) =>
  vi.waitFor(() => expect(lacking(callers, available, only)).toBe(0), { timeout: 30_000, interval: 5 });

/** Follows all products, and never reads what comes: with no window at all, or until the usual one is full. */
function openDeafEar(initialWindowSize?: number): ClientHttp2Stream {
  const session = connectHttp2(edge.url, initialWindowSize === undefined ? {} : { settings: { initialWindowSize } });
  resources.defer(() => session.destroy());
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/shop.api.v1.LiveService/Follow",
    "content-type": "application/grpc+proto",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  const message = toBinary(FollowRequestSchema, create(FollowRequestSchema, { subscribe: [hot, ...skus] }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([head, message]));
  return stream;
}

test("1,000 callers hear every product's last state while others never read; the edge's memory stays", async () => {
  const deaf = Array.from({ length: deafCount }, (_, index) => openDeafEar(index % 2 === 0 ? 0 : undefined));
  const connections = Array.from({ length: connectionCount }, () => openConnection(edge.url));
  for (const connection of connections) resources.defer(connection.break);
  const callers = Array.from({ length: callerCount }, (_, index) => {
    const connection = connections[index % connectionCount];
    if (connection === undefined) throw new Error("no connection");
    return call(connection.transport, ...ofCaller(index));
  });
  const quickConnection = openConnection(edge.url);
  resources.defer(quickConnection.break);
  const quick = call(quickConnection.transport, hot, ...skus);
  await vi.waitFor(() => expect(callers.every(({ newest }) => newest.size === 2)).toBe(true), { timeout: 30_000 });
  expect(reads, "read once for all").toBeLessThan(20);

  // An event that was published before the edge listened says nothing: repeated until it does.
  await vi.waitFor(
    () => {
      setStock([hot, ...skus], 1n);
      expect(lacking([quick], 1n)).toBe(0);
    },
    { timeout: 20_000, interval: 100 },
  );
  let peakBytes = 0;
  const storm = async (from: bigint, count: number): Promise<bigint> => {
    for (let step = 0n; step < BigInt(count); step += 1n) {
      setStock(skus, from + step);
      await vi.waitFor(() => expect(lacking([quick], from + step, skus.at(-1))).toBe(0), {
        timeout: 30_000,
        interval: 2,
      });
      peakBytes = Math.max(peakBytes, edgeProcess.residentBytes());
    }
    return from + BigInt(count) - 1n;
  };
  await storm(1_000n, rounds.warmUp);
  const used = await edgeProcess.usedBytes();
  const last = await storm(2_000n, rounds.storm);
  setStock([hot], last);
  await untilAllKnow([...callers, quick], last);
  // More than 100,000 states are never read: kept as they come, they would be tens of megabytes.
  const grown = (await edgeProcess.usedBytes()) - used;
  expect(grown).toBeLessThan(4 * megabyte);
  // With what is not collected yet; V8 lets it grow to the bound that the process was given.
  expect(peakBytes).toBeLessThan(448 * megabyte);

  const delaysMs: number[] = [];
  for (let available = 5_000n; available < 5_020n; available += 1n) {
    const saidMs = performance.now();
    setStock([hot], available);
    await untilAllKnow(callers, available, hot);
    for (const { newest } of callers) delaysMs.push((newest.get(hot)?.atMs ?? 0) - saidMs);
  }
  delaysMs.sort((a, b) => a - b);
  expect(delaysMs.at(-1)).toBeLessThan(5_000);

  // A fifth of them lose their connection; what changes meanwhile they find when they come again.
  const again = openConnection(edge.url);
  resources.defer(again.break);
  connections[0]?.break();
  const broken = callers.filter((_, index) => index % connectionCount === 0);
  const errors = await Promise.all(broken.map(({ ended }) => ended));
  expect(errors.every((error) => error !== undefined)).toBe(true);
  setStock([hot, ...skus], 9_000n);
  const cameMs = performance.now();
  const returned = broken.map((_, index) => call(again.transport, ...ofCaller(index * connectionCount)));
  await vi.waitFor(() => expect(returned.every(({ newest }) => newest.size === 2)).toBe(true), { timeout: 30_000 });
  const rest = callers.filter((caller) => !broken.includes(caller));
  await untilAllKnow([...returned, ...rest, quick], 9_000n);

  await recordFigures("live-feed", [
    {
      callers: callerCount,
      "told after, ms (p50)": Math.round(delaysMs[Math.floor(delaysMs.length / 2)] ?? 0),
      "(p99)": Math.round(delaysMs[Math.floor(delaysMs.length * 0.99)] ?? 0),
      "(slowest)": Math.round(delaysMs.at(-1) ?? 0),
      "200 back after, ms": Math.round(performance.now() - cameMs),
      "edge, MB in use": Math.round(used / megabyte),
      "grown, KB": Math.round(grown / 1_024),
      "resident at most, MB": Math.round(peakBytes / megabyte),
    },
  ]);

  const everybody = [...returned, ...rest, quick];
  for (const caller of everybody) caller.leave();
  for (const stream of deaf) stream.close(constants.NGHTTP2_CANCEL);
  await Promise.all([...deaf.map((stream) => once(stream, "close")), ...everybody.map(({ ended }) => ended)]);
  // Nobody follows them any more, so that nobody reads them.
  const lastOne = call(quickConnection.transport, "LAST");
  await vi.waitFor(() => expect(lastOne.newest.size).toBe(1));
  const readsBefore = reads;
  setStock([hot, ...skus], 1n);
  setStock(["LAST"], 7n);
  await untilAllKnow([lastOne], 7n);
  expect(reads - readsBefore).toBe(1);
  lastOne.leave();
  await lastOne.ended;
}, 120_000);
