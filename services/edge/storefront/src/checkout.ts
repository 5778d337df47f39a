import type { Client } from "@connectrpc/connect";
import type { Order, OrderService } from "../../../../gen/shop/api/v1/order_pb.ts";
import { isRefusal } from "./keys.ts";
import type { Storage } from "./storage.ts";

/** What somebody means to buy. */
export interface Purchase {
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly paymentMethod: string;
}

interface Attempt {
  readonly userId: string;
  readonly idempotencyKey: string;
  readonly purchase: Purchase;
}

export interface Checkout {
  /** What was sent and never answered: perhaps an order, perhaps not. Sending it again tells, and buys nothing twice. */
  unanswered(): Purchase | undefined;
  /**
   * Places the order; called again before the answer it waits for the same one. While an attempt is unanswered, that one
   * is sent again, whatever is asked for.
   */
  place(purchase: Purchase): Promise<Order>;
}

export interface CheckoutDeps {
  readonly orders: Pick<Client<typeof OrderService>, "placeOrder">;
  readonly storage: Storage;
  readonly userId: () => string | undefined;
  readonly newKey: () => string;
}

const storageName = "checkout";

/** One order for each purchase, whatever clicks, reloads and broken connections come between. */
export function createCheckout({ orders, storage, userId, newKey }: CheckoutDeps): Checkout {
  let placing: Promise<Order> | undefined;

  const pending = (): Attempt | undefined => {
    const attempt = storage.read<Attempt>(storageName);
    return attempt?.userId === userId() ? attempt : undefined;
  };
  const send = async ({ idempotencyKey, purchase }: Attempt): Promise<Order> => {
    try {
      const lines = purchase.lines.map(({ sku, quantity }) => ({ sku, quantity }));
      const { paymentMethod } = purchase;
      const { order } = await orders.placeOrder({ idempotencyKey, lines, paymentMethod });
      storage.remove(storageName);
      if (order === undefined) throw new Error("the answer holds no order");
      return order;
    } catch (error) {
      if (isRefusal(error)) storage.remove(storageName);
      throw error;
    }
  };
  return {
    unanswered: () => pending()?.purchase,
    place(purchase) {
      const attempt = pending() ?? { userId: userId() ?? "", idempotencyKey: newKey(), purchase };
      storage.write(storageName, attempt);
      placing ??= send(attempt).finally(() => {
        placing = undefined;
      });
      return placing;
    },
  };
}
