import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createBroker, createDirectPublisher, type DirectPublisher } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FollowRequestSchema, type FollowResponse, LiveService } from "../../gen/shop/api/v1/live_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { PriceChangedSchema, ProductUpdatedSchema } from "../../gen/shop/catalog/v1/events_pb.ts";
import {
  StockReceivedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { startNats, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { startTestEdge, type TestEdge } from "./testing.ts";

const resources = new AsyncDisposableStack();
let edge: TestEdge;
let nats: TestEngine;
let publisher: DirectPublisher;

/** The shop as it is. A product that is not here costs 1.00 and there are 10 of it. */
const prices = new Map<string, bigint>();
const stock = new Map<string, bigint>();
const names = new Map<string, string>();
let reads = 0;

beforeAll(async () => {
  nats = resources.use(await startNats());
  edge = resources.use(
    await startTestEdge(
      {
        catalog: (router) =>
          router.service(CatalogService, {
            batchGetProducts({ skus }) {
              reads += 1;
              const known = skus.filter((sku) => sku !== "NONE");
              return {
                products: known.map((sku) => ({
                  ...{ sku, name: names.get(sku) ?? sku },
                  price: { currencyCode: "EUR", minorUnits: prices.get(sku) ?? 100n },
                })),
              };
            },
          }),
        inventory: (router) =>
          router.service(InventoryService, {
            batchGetStock: ({ skus }) => ({ levels: skus.map((sku) => ({ sku, available: stock.get(sku) ?? 10n })) }),
          }),
      },
      { NATS_URL: nats.url },
    ),
  );
  const telemetry = resources.use(createTelemetry({ service: "test", write: () => undefined }));
  const broker = resources.use(createBroker({ url: nats.url, service: "test", telemetry }));
  publisher = resources.use(createDirectPublisher({ broker, telemetry }));
});
afterAll(() => resources.disposeAsync());

function setPrice(sku: string, minorUnits: bigint): void {
  prices.set(sku, minorUnits);
  publisher.publish(PriceChangedSchema, { sku, newPrice: { currencyCode: "EUR", minorUnits } });
}

function setStock(skus: readonly string[], available: bigint): void {
  for (const sku of skus) stock.set(sku, available);
  publisher.publish(StockReservedSchema, { orderId: "ord_1", lines: skus.map((sku) => ({ sku, quantity: 1 })) });
}

/** One caller who follows products over gRPC. */
interface Follower {
  readonly heard: FollowResponse[];
  readonly ended: Promise<ConnectError | undefined>;
  say(subscribe: string[], unsubscribe?: string[]): void;
  /** Says no more, and goes on listening. */
  fallSilent(): void;
  leave(): void;
}

function follow(transport: Transport, ...skus: string[]): Follower {
  const left = new AbortController();
  const queue: { subscribe: string[]; unsubscribe: string[] }[] = [];
  let wake = () => {};
  let silent = false;
  async function* requests() {
    while (!left.signal.aborted && !silent) {
      yield* queue.splice(0);
      if (queue.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    yield* queue.splice(0);
  }
  const say: Follower["say"] = (subscribe, unsubscribe = []) => {
    queue.push({ subscribe, unsubscribe });
    wake();
  };
  const heard: FollowResponse[] = [];
  const listen = async (): Promise<undefined> => {
    const answers = createClient(LiveService, transport).follow(requests(), { signal: left.signal });
    for await (const answer of answers) heard.push(answer);
    return undefined;
  };
  if (skus.length > 0) say(skus);
  const leave = () => {
    left.abort();
    wake();
  };
  const fallSilent = () => {
    silent = true;
    wake();
  };
  return { heard, ended: listen().catch(ConnectError.from), say, fallSilent, leave };
}

function openTransport() {
  const sessionManager = new Http2SessionManager(edge.url);
  resources.defer(() => sessionManager.abort());
  return { sessionManager, transport: createGrpcTransport({ baseUrl: edge.url, sessionManager }) };
}

const brief = ({ sku, price, available }: FollowResponse) => `${sku} ${price?.minorUnits ?? "-"} ${available ?? "-"}`;
const lastOf = ({ heard }: Follower) => {
  const last = heard.at(-1);
  return last && brief(last);
};

describe("Follow", () => {
  test("tells products as they are, then each change of price, name and stock", async () => {
    const follower = follow(openTransport().transport, "CUP", "NONE");
    await expect.poll(() => follower.heard.map(brief)).toEqual(["CUP 100 10", "NONE - 10"]);
    // An event that was published before the edge listened says nothing: repeated until it does.
    const afterSetting = () => {
      setPrice("CUP", 450n);
      return lastOf(follower);
    };
    await expect.poll(afterSetting).toBe("CUP 450 10");
    setStock(["CUP", "OTHER"], 3n);
    await expect.poll(() => lastOf(follower)).toBe("CUP 450 3");
    stock.set("CUP", 4n);
    publisher.publish(StockReleasedSchema, { orderId: "ord_1", lines: [{ sku: "CUP", quantity: 1 }] });
    await expect.poll(() => lastOf(follower)).toBe("CUP 450 4");
    stock.set("CUP", 90n);
    publisher.publish(StockReceivedSchema, { importId: "import-1", lines: [{ sku: "CUP", quantity: 86n }] });
    await expect.poll(() => lastOf(follower)).toBe("CUP 450 90");
    names.set("CUP", "The cup");
    publisher.publish(ProductUpdatedSchema, { sku: "CUP", name: "The cup" });
    await expect.poll(() => follower.heard.at(-1)?.name).toBe("The cup");
    follower.leave();
    expect((await follower.ended)?.code).toBe(Code.Canceled);
  });

  test("is subscribed to and unsubscribed from as one goes, and listens on when nothing more is said", async () => {
    const follower = follow(openTransport().transport, "A", "B");
    await expect.poll(() => follower.heard.length).toBe(2);
    follower.say(["C"], ["A"]);
    follower.fallSilent();
    await expect.poll(() => lastOf(follower)).toBe("C 100 10");
    setPrice("A", 1n);
    setPrice("B", 2n);
    await expect.poll(() => lastOf(follower)).toBe("B 2 10");
    expect(follower.heard.map(brief)).not.toContain("A 1 10");
    follower.leave();
    await follower.ended;
  });

  test("after a broken connection begins with the present", async () => {
    const first = openTransport();
    const broken = follow(first.transport, "POT");
    await expect.poll(() => lastOf(broken)).toBe("POT 100 10");
    first.sessionManager.abort();
    expect((await broken.ended)?.code).toBeDefined();
    setPrice("POT", 900n);
    const again = follow(openTransport().transport, "POT");
    await expect.poll(() => again.heard.map(brief)).toContain("POT 900 10");
    again.leave();
    await again.ended;
  });

  test("refuses what is no SKU, and more than a hundred products", async () => {
    const { transport } = openTransport();
    expect((await follow(transport, "no sku").ended)?.code).toBe(Code.InvalidArgument);
    const many = Array.from({ length: 100 }, (_, index) => `P${index}`);
    const follower = follow(transport, ...many);
    await expect.poll(() => follower.heard.length).toBe(100);
    follower.say(["ONE-MORE"]);
    expect((await follower.ended)?.code).toBe(Code.ResourceExhausted);
  });

  test("misses nothing while NATS is away: what changed is told when it is back", async () => {
    const follower = follow(openTransport().transport, "JUG");
    await expect.poll(() => lastOf(follower)).toBe("JUG 100 10");
    await nats.stop();
    setPrice("JUG", 700n);
    await nats.start();
    await expect.poll(() => lastOf(follower), { timeout: 15_000 }).toBe("JUG 700 10");
    follower.leave();
    await follower.ended;
  });
});

describe("1,000 callers, and one that never reads", () => {
  const skus = Array.from({ length: 100 }, (_, index) => `S${index}`);
  const lineOf = (available: bigint) => skus.map((sku) => `${sku} 100 ${available}`);
  /** What the follower knows now, by product. */
  const known = ({ heard }: Follower) => {
    const newest = new Map(heard.map((state) => [state.sku, brief(state)]));
    return skus.map((sku) => newest.get(sku));
  };

  test("hear every change, cost memory that does not grow, and are forgotten when they leave", async () => {
    // Opens its window for nothing, so that the edge's answers pile up wherever they would.
    const deafSession = connectHttp2(edge.url, { settings: { initialWindowSize: 0 } });
    resources.defer(() => deafSession.destroy());
    const deaf = deafSession.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: "/shop.api.v1.LiveService/Follow",
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    deaf.on("error", () => undefined);
    deaf.write(grpcFrame(toBinary(FollowRequestSchema, create(FollowRequestSchema, { subscribe: skus }))));

    const readsBefore = reads;
    const connections = Array.from({ length: 5 }, () => openTransport().transport);
    const callers = connections.flatMap((transport) => Array.from({ length: 200 }, () => follow(transport, "S0")));
    await expect.poll(() => callers.filter(({ heard }) => heard.length > 0).length, { timeout: 30_000 }).toBe(1_000);
    expect(reads - readsBefore).toBeLessThan(10);

    const quick = follow(openTransport().transport, ...skus);
    await expect.poll(() => known(quick)).toEqual(lineOf(10n));
    const others = skus.slice(1);
    const change = async (from: bigint, until: bigint) => {
      for (let left = from; left < until; left += 1n) {
        setStock(others, left);
        // Not expect.poll, which keeps what it has compared.
        for (let tries = 0; known(quick).slice(1).join() !== lineOf(left).slice(1).join(); tries += 1) {
          if (tries > 2_000) throw new Error(`${left} is never told`);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        quick.heard.splice(0);
      }
    };
    await change(1_000n, 1_030n);
    const before = heapBytes();
    await change(2_000n, 2_100n);
    // Ten thousand changes, of which the one reads none: kept as they come, they would be megabytes.
    expect(heapBytes() - before).toBeLessThan(1_000_000);

    const startedAt = performance.now();
    setStock(["S0"], 5n);
    const knowing = () => callers.filter((caller) => lastOf(caller) === "S0 100 5").length;
    await expect.poll(knowing, { interval: 10 }).toBe(1_000);
    expect(performance.now() - startedAt).toBeLessThan(5_000);

    for (const caller of callers) caller.leave();
    quick.leave();
    deaf.close(constants.NGHTTP2_CANCEL);
    await once(deaf, "close");
    await Promise.all(callers.map(({ ended }) => ended));
    // Nobody follows it any more, so that nobody reads it.
    const last = follow(openTransport().transport, "LAST");
    await expect.poll(() => lastOf(last)).toBe("LAST 100 10");
    const readsAfter = reads;
    setPrice("S0", 1n);
    setPrice("LAST", 5n);
    await expect.poll(() => lastOf(last)).toBe("LAST 5 10");
    expect(reads - readsAfter).toBe(1);
    last.leave();
    await last.ended;
  }, 120_000);
});

function grpcFrame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** After a collection of what is garbage. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
