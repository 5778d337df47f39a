import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import { oneOf, type Random, seededRandom } from "../../dev/history/chance.ts";
import type { ClientLog } from "../client-log.ts";
import { askUntilAnswered, type Outcome, registerShopper, type Shopper } from "./shopper.ts";
import { createWishes, type Wish } from "./wishes.ts";

export interface LoadOptions {
  /** Where clients find the edge. */
  readonly edgeUrl: string;
  readonly log: ClientLog;
  readonly shopperCount: number;
  /** How long a client goes on asking for one operation. */
  readonly budgetMs?: number;
}

/** Operations that wait at most: an open-loop load on something that stands still grows for ever. */
const IN_FLIGHT_MAX = 1_500;
const TOKEN_AGE_MAX_MS = 8 * 60_000;
/** Orders that may be cancelled: a customer's newest. */
const REMEMBERED_ORDERS_MAX = 50;

/**
 * Open-loop load: operations begin when a clock says so, whatever became of those before. What is begun is drawn from a seed; when, too.
 */
export interface Load {
  /** Begins operations, so many a second in the mean. */
  start(seed: number, perSecond: number): Promise<void>;
  setRate(perSecond: number): void;
  /** Begins no more and waits for those that are in flight. */
  stop(): Promise<void>;
  /** Operations that were not begun, for want of room. */
  dropped(): number;
}

/** Registers customers and makes their load. */
export async function createLoad(options: LoadOptions): Promise<Load> {
  const { edgeUrl, log, shopperCount, budgetMs = 10_000 } = options;
  const shoppers: Shopper[] = [];
  while (shoppers.length < shopperCount) {
    shoppers.push(await registerShopper(edgeUrl, `${randomUUID()}@example.com`));
  }
  let tokensAtMs = Date.now();
  const orders = new Map<Shopper, string[]>();
  const inFlight = new Set<Promise<void>>();
  let perSecond = 0;
  let timer: NodeJS.Timeout | undefined;
  let dropped = 0;

  const begin = (random: Random, wish: Wish): void => {
    if (inFlight.size >= IN_FLIGHT_MAX) {
      dropped += 1;
      return;
    }
    const shopper = oneOf(random, shoppers);
    const done = perform(shopper, wish, random).finally(() => inFlight.delete(done));
    inFlight.add(done);
  };

  const perform = async (shopper: Shopper, wish: Wish, random: Random): Promise<void> => {
    const id = randomUUID();
    const { userId } = shopper;
    const headers = { "idempotency-key": id };
    const ask = <T>(call: () => Promise<T>): Promise<Outcome<T>> =>
      askUntilAnswered(call, { budgetMs, random, pause, now: Date.now });
    switch (wish.kind) {
      case "placeOrder": {
        const { lines, paymentMethod } = wish;
        const operation = log.begin({ id, kind: wish.kind, key: id, userId });
        const found = await ask(() =>
          shopper.orders.placeOrder({ idempotencyKey: id, lines: [...lines], paymentMethod }),
        );
        const order = found.outcome === "ok" ? found.answer.order : undefined;
        if (order !== undefined) remember(shopper, order.orderId);
        return operation.end({
          ...told(found),
          ...(order && { orderId: order.orderId, state: stateName(order.state) }),
        });
      }
      case "cancelOrder": {
        const known = orders.get(shopper) ?? [];
        if (known.length === 0) return;
        const orderId = oneOf(random, known);
        const operation = log.begin({ id, kind: wish.kind, key: id, userId, orderId });
        const found = await ask(() => shopper.orders.cancelOrder({ orderId }, { headers }));
        const order = found.outcome === "ok" ? found.answer.order : undefined;
        return operation.end({ ...told(found), orderId, ...(order && { state: stateName(order.state) }) });
      }
      case "setCartItem": {
        const operation = log.begin({ id, kind: wish.kind, key: id, userId });
        return operation.end(
          told(await ask(() => shopper.carts.setCartItem({ sku: wish.sku, quantity: wish.quantity }, { headers }))),
        );
      }
      case "readProduct": {
        const operation = log.begin({ id, kind: wish.kind, key: "", userId });
        return operation.end(told(await ask(() => shopper.catalog.getProduct({ sku: wish.sku }))));
      }
    }
  };

  const remember = (shopper: Shopper, orderId: string): void => {
    orders.set(shopper, [...(orders.get(shopper) ?? []), orderId].slice(-REMEMBERED_ORDERS_MAX));
  };

  return {
    async start(seed, rate) {
      if (Date.now() - tokensAtMs > TOKEN_AGE_MAX_MS) {
        for (const shopper of shoppers) await shopper.logIn();
        tokensAtMs = Date.now();
      }
      perSecond = rate;
      const random = seededRandom(seed);
      const nextWish = createWishes(random);
      let nextAtMs = performance.now();
      const tick = (): void => {
        for (const now = performance.now(); nextAtMs <= now; ) {
          begin(random, nextWish());
          nextAtMs += (-Math.log(1 - random()) * 1_000) / perSecond;
        }
        timer = setTimeout(tick, Math.max(1, nextAtMs - performance.now()));
      };
      tick();
    },
    setRate(rate) {
      perSecond = rate;
    },
    async stop() {
      clearTimeout(timer);
      timer = undefined;
      await Promise.all(inFlight);
    },
    dropped: () => dropped,
  };
}

const STATE_NAMES = new Map<number, string>(Object.entries(OrderState).map(([name, value]) => [value, name]));

function stateName(state: OrderState): string {
  return STATE_NAMES.get(state) ?? String(state);
}

function told({ attempts, ...found }: Outcome<unknown>) {
  const { outcome } = found;
  return outcome === "ok" ? { outcome, attempts } : { outcome, attempts, code: found.code };
}
