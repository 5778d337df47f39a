import { expect, test } from "vitest";
import { analyticsHandlers } from "../../../services/analytics/events.ts";
import { inventoryHandlers } from "../../../services/inventory/events.ts";
import { notificationHandlers } from "../../../services/notification/events.ts";
import { historyHandlers, orderHandlers } from "../../../services/order/events.ts";
import { paymentHandlers } from "../../../services/payment/events.ts";
import { recommendationHandlers } from "../../../services/recommendation/events.ts";
import { consumers } from "./events.ts";

/** Handlers are only looked at here: they are never called, so they need nothing. */
const nothing = {} as never;

/** Published without an outbox, since nothing is lost with them. */
const direct = ["shop.api.v1.ProductViewed", "shop.cart.v1.CartUpdated"];

test("the checks know who consumes what", () => {
  const handlers = {
    inventory: inventoryHandlers(nothing),
    order: [...orderHandlers({ orders: nothing, wakeSagas: () => {} }), ...historyHandlers()],
    payment: paymentHandlers({ payments: nothing, clock: nothing }),
    notification: notificationHandlers(nothing),
    recommendation: recommendationHandlers(),
    analytics: analyticsHandlers(),
  };
  const types = Object.entries(handlers).map(([name, own]) => [
    name,
    own
      .map(({ type }) => type)
      .filter((type) => !direct.includes(type))
      .toSorted(),
  ]);
  expect(Object.fromEntries(types)).toEqual(
    Object.fromEntries(Object.entries(consumers).map(([name, own]) => [name, [...own].toSorted()])),
  );
});
