import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import type { Random } from "../../dev/history/chance.ts";
import type { Operation } from "../client-log.ts";
import { askUntilAnswered, registerShopper, type Shopper } from "../load/shopper.ts";
import type { World } from "../world.ts";

/** An order as its buyer saw it. */
export type Bought = Pick<Operation, "outcome" | "orderId" | "state" | "code" | "attempts"> & {
  readonly tookMs: number;
};

/** Customers who buy what they are told to. */
export interface Buyers {
  /** Places an order, the next buyer's, and asks again with its key until it is answered or budgetMs have passed. */
  buy(order: {
    readonly sku: string;
    readonly quantity?: number;
    readonly paymentMethod?: string;
    readonly budgetMs?: number;
  }): Promise<Bought>;
}

/** Registers buyers. What they do is in the world's log, so that its checks know of it. */
export async function createBuyers(world: World, count: number, random: Random): Promise<Buyers> {
  const shoppers: Shopper[] = [];
  while (shoppers.length < count) {
    shoppers.push(await registerShopper(world.stack.edgeUrl, `${randomUUID()}@example.com`));
  }
  let next = 0;
  return {
    async buy({ sku, quantity = 1, paymentMethod = "tok_visa", budgetMs = 10_000 }) {
      const shopper = shoppers[next % count];
      if (shopper === undefined) throw new Error("nobody buys");
      next += 1;
      const key = randomUUID();
      const operation = world.log.begin({ id: key, kind: "placeOrder", key, userId: shopper.userId });
      const startedMs = performance.now();
      const found = await askUntilAnswered(
        () => shopper.orders.placeOrder({ idempotencyKey: key, lines: [{ sku, quantity }], paymentMethod }),
        { budgetMs, random, pause, now: Date.now },
      );
      const tookMs = performance.now() - startedMs;
      const order = found.outcome === "ok" ? found.answer.order : undefined;
      const result = {
        ...{ outcome: found.outcome, attempts: found.attempts },
        ...(found.outcome !== "ok" && { code: found.code }),
        ...(order && { orderId: order.orderId, state: stateNames.get(order.state) ?? String(order.state) }),
      };
      operation.end(result);
      return { ...result, tookMs };
    },
  };
}

const stateNames = new Map<number, string>(Object.entries(OrderState).map(([name, state]) => [state, name]));
