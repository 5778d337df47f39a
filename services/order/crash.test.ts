import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Client } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, newId } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type OrderConfirmed, OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { OrderService, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import { hang, type Neighbours, startNeighbours } from "./testing/neighbours.ts";

const resources = new AsyncDisposableStack();
let shop: Neighbours;
let orders: Client<typeof OrderService>;
let database: Database;
let confirmed: readonly OrderConfirmed[];

beforeAll(async () => {
  shop = resources.use(await startNeighbours());
  orders = await shop.mesh.client(OrderService, "order", "edge");
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: shop.mesh.database("order").url, telemetry }));
  confirmed = await shop.mesh.watch(OrderConfirmedSchema);
});
afterAll(() => resources.disposeAsync());

/** An order service in a process of its own, ready to take calls. */
async function startProcess(): Promise<ChildProcess & AsyncDisposable> {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const env = { ...process.env, ...shop.mesh.env("order"), LOG_LEVEL: "info" };
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      if (chunk.includes('"serving"')) resolve();
    });
    child.once("exit", () => reject(new Error("the order service ended before it was ready")));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  await ready.catch(async (error) => {
    await stop();
    throw error;
  });
  return Object.assign(child, { [Symbol.asyncDispose]: stop });
}

async function states() {
  const sql = "SELECT order_id AS orderId, state FROM orders";
  return await database.query<{ orderId: string; state: string }>("test.orders", sql);
}

const steps: [string, keyof Neighbours["before"], string][] = [
  ["while it reserves", "reserve", "PLACED"],
  ["between reservation and confirmation", "authorize", "RESERVED"],
];

test.each(steps)(
  "kill -9 %s: another start resumes the saga, and money and stock are asked for under the same order",
  async (_, step, state) => {
    shop.reset();
    shop.before[step] = hang;
    const before = await states().catch(() => []);
    const endUser = { userId: newId("usr", 7, { clock: systemClock, random: Math.random }), scopes: ["customer"] };
    const request = {
      idempotencyKey: `key-${step}`,
      lines: [{ sku: "apple", quantity: 1 }],
      paymentMethod: "tok_visa",
    };
    await using killed = await startProcess();
    // Its caller's fate does not matter here.
    const caller = new AbortController();
    const placing = runAs({ endUser }, () => orders.placeOrder(request, { signal: caller.signal })).catch(() => {});
    await vi.waitFor(() => expect(shop.asked.some((what) => what.startsWith(step))).toBe(true), 15_000);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    caller.abort();
    await placing;
    const left = (await states()).filter(({ orderId }) => !before.some((known) => known.orderId === orderId));
    expect(left).toMatchObject([{ state }]);
    const orderId = left[0]?.orderId ?? "";

    shop.before[step] = async () => {};
    await using _resumed = await startProcess();
    const startMs = performance.now();
    await vi.waitFor(
      async () => expect((await states()).find((row) => row.orderId === orderId)?.state).toBe("CONFIRMED"),
      {
        timeout: 15_000,
        interval: 100,
      },
    );
    expect(performance.now() - startMs).toBeLessThan(8_000);
    expect(new Set(shop.asked.map((what) => what.split(" ")[1]))).toEqual(new Set([orderId]));
    expect(shop.asked.at(-1)).toBe(`authorize ${orderId} 250`);
    await vi.waitFor(() => expect(confirmed.filter((event) => event.orderId === orderId)).toHaveLength(1), 15_000);
    // The customer, asking again with the key, gets the order that went on without them.
    const { order } = await runAs({ endUser }, () => orders.placeOrder(request));
    expect(order).toMatchObject({ orderId, state: OrderState.CONFIRMED });
  },
);
