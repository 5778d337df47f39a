import { type Client, Code } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { AnalyticsService } from "../../../gen/shop/analytics/v1/analytics_pb.ts";
import { CartService } from "../../../gen/shop/cart/v1/cart_pb.ts";
import { CatalogService } from "../../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../../gen/shop/inventory/v1/inventory_pb.ts";
import { NotificationService } from "../../../gen/shop/notification/v1/notification_pb.ts";
import { OrderService } from "../../../gen/shop/order/v1/order_pb.ts";
import { RecommendationService } from "../../../gen/shop/recommendation/v1/recommendation_pb.ts";
import { UserService } from "../../../gen/shop/user/v1/user_pb.ts";
import type { Operator } from "./operator.ts";

const sku = "COF-ESPRESSO-250";
const clerk = { endUser: { userId: "usr_clerk", scopes: ["warehouse"] } };

/** What is wrong, the call, what the message must name, and the code where it is not INVALID_ARGUMENT. */
export type Mistake = readonly [name: string, call: () => Promise<unknown>, names: RegExp, code?: Code];

/** Calls of inner services that are each wrong in one way. */
export function operatorMistakes(operator: Operator, userId: string): Mistake[] {
  const inventory = operator.client(InventoryService, "inventory");
  return [
    ...badDeliveries((batches) => inventory.importStock(batches)),
    ["releasing nothing", () => inventory.releaseStock({}), /order_id/],
    ...products(operator.client(CatalogService, "catalog")),
    ...people(operator.client(UserService, "user"), operator.client(NotificationService, "notification"), userId),
    ...orders(operator.client(OrderService, "order")),
    ...carts(operator.client(CartService, "cart")),
    ...figures(operator.client(AnalyticsService, "analytics")),
    ...recommendations(operator.client(RecommendationService, "recommendation")),
  ];
}

interface Batch {
  importId?: string;
  firstLine?: bigint;
  lines?: { sku: string; quantity: bigint }[];
}

/** Streams that no import can be made of, for a method that imports. */
export function badDeliveries(importStock: (batches: AsyncIterable<Batch>) => Promise<unknown>): Mistake[] {
  const good = { importId: "import-bad", firstLine: 1n, lines: [{ sku, quantity: 1n }] };
  const importing =
    (...batches: Batch[]) =>
    () =>
      importStock(
        (async function* () {
          yield* batches;
        })(),
      );
  return [
    ["an import of nothing", importing(), /import_id/],
    ["an import without a name", importing({ ...good, importId: "" }), /import_id/],
    ["an import from line 0", importing({ ...good, firstLine: 0n }), /first_line/],
    ["an import without lines", importing({ ...good, lines: [] }), /lines/],
    ["1,001 lines at once", importing({ ...good, lines: Array(1_001).fill({ sku, quantity: 1n }) }), /lines.*1000/],
    ["an import that changes its name", importing(good, { ...good, importId: "import-other" }), /import_id/],
  ];
}

function products(catalog: Client<typeof CatalogService>): Mistake[] {
  const price = { currencyCode: "EUR", minorUnits: 1n };
  return [
    ["changing no product", () => catalog.updateProduct({ name: "x" }), /sku/],
    [
      "changing what is not there",
      () => catalog.updateProduct({ sku: "NO-SUCH", name: "x" }),
      /NO-SUCH/,
      Code.NotFound,
    ],
    ["a product without a name", () => catalog.updateProduct({ sku, name: "" }), /name/],
    ["a name of 201", () => catalog.updateProduct({ sku, name: "x".repeat(201) }), /name.*200/],
    ["a text of 2,001", () => catalog.updateProduct({ sku, description: "x".repeat(2_001) }), /description.*2000/],
    ["a category in capitals", () => catalog.updateProduct({ sku, category: "Coffee" }), /category/],
    ["no price", () => catalog.changePrice({ sku }), /price/],
    ["a price below nothing", () => catalog.changePrice({ sku, price: { ...price, minorUnits: -1n } }), /price/],
    ["no currency", () => catalog.changePrice({ sku, price: { ...price, currencyCode: "euro" } }), /currency_code/],
  ];
}

function people(
  users: Client<typeof UserService>,
  notifications: Client<typeof NotificationService>,
  userId: string,
): Mistake[] {
  const change = { profile: {}, updateMask: { paths: ["phone"] } };
  return [
    ["nobody's profile", () => users.getProfile({}), /log in/, Code.Unauthenticated],
    ["changing nobody's", () => users.updateProfile(change), /log in/, Code.Unauthenticated],
    ["nobody's e-mails", () => notifications.listEmails({}), /user_id/],
    ["101 e-mails", () => notifications.listEmails({ userId, pageSize: 101 }), /page_size.*100/],
    ["e-mails after garbage", () => notifications.listEmails({ userId, pageToken: "garbage" }), /page_token/],
    ["nobody's messages", () => notifications.listMessages({}), /user_id/],
    ["101 messages", () => notifications.listMessages({ userId, pageSize: 101 }), /page_size.*100/],
    ["messages after garbage", () => notifications.listMessages({ userId, pageToken: "garbage" }), /page_token/],
  ];
}

function orders(inner: Client<typeof OrderService>): Mistake[] {
  const orderId = "ord_1";
  const ship = (request: { orderId?: string; trackingNumber?: string }) => () =>
    runAs(clerk, () => inner.shipOrder(request));
  const deliver = (request: { orderId?: string }) => () => runAs(clerk, () => inner.deliverOrder(request));
  return [
    ["shipping nothing", ship({ trackingNumber: "T-1" }), /order_id/],
    ["shipping without a number", ship({ orderId }), /tracking_number/],
    ["a number with a blank", ship({ orderId, trackingNumber: "T 1" }), /tracking_number/],
    ["shipping what is not there", ship({ orderId, trackingNumber: "T-1" }), /ord_1/, Code.NotFound],
    ["delivering nothing", deliver({}), /order_id/],
    ["delivering what is not there", deliver({ orderId }), /ord_1/, Code.NotFound],
    ["orders in no state", () => runAs(clerk, () => inner.listOrdersInState({})), /state/],
    ["confirmed orders after a made-up page", () => inner.listConfirmedOrders({ pageToken: "x" }), /page_token/],
    ["shipping as nobody", () => inner.shipOrder({ orderId }), /log in/, Code.Unauthenticated],
    ["nobody's history", () => inner.listOrders({}), /log in/, Code.Unauthenticated],
    ["cancelling as nobody", () => inner.cancelOrder({ orderId }), /log in/, Code.Unauthenticated],
  ];
}

function carts(cart: Client<typeof CartService>): Mistake[] {
  const cartId = "visitor:12345678";
  return [
    ["a cart of no kind", () => cart.getCart({ cartId: "ada" }), /cart_id/],
    ["too many", () => cart.setItem({ cartId, sku, quantity: 1_001 }), /quantity.*1000/],
    ["merging into nobody's", () => cart.mergeCarts({ visitorCartId: cartId }), /user_cart_id/],
    ["emptying none", () => cart.clearCart({}), /cart_id/],
  ];
}

function figures(analytics: Client<typeof AnalyticsService>): Mistake[] {
  const from = { seconds: 1_700_000_000n };
  const earlier = { seconds: from.seconds - 60n };
  const yearLater = { seconds: from.seconds + 31_536_000n };
  const currencyCode = "EUR";
  return [
    ["the figures of a word", () => analytics.getFunnel({ day: "yesterday" }), /day/],
    ["the figures of February 30th", () => analytics.getFunnel({ day: "2026-02-30" }), /day/],
    ["revenue since never", () => analytics.listRevenue({ until: from, currencyCode }), /from/],
    ["revenue backwards", () => analytics.listRevenue({ from, until: earlier, currencyCode }), /until/],
    ["revenue of a year", () => analytics.listRevenue({ from, until: yearLater, currencyCode }), /until/],
    ["no currency", () => analytics.listRevenue({ from, until: from, currencyCode: "euro" }), /currency_code/],
    ["the 1,000 best-selling", () => analytics.listTopProducts({ pageSize: 1_000 }), /page_size.*100/],
    ["the best-selling after garbage", () => analytics.listTopProducts({ pageToken: "garbage" }), /page_token/],
  ];
}

function recommendations(service: Client<typeof RecommendationService>): Mistake[] {
  return [
    ["what goes with nothing", () => service.listRecommendations({}), /sku/],
    ["21 recommendations", () => service.listRecommendations({ sku, pageSize: 21 }), /page_size.*20/],
    ["a second page of them", () => service.listRecommendations({ sku, pageToken: "2" }), /page_token/],
  ];
}
