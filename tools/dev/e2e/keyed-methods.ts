import { randomUUID } from "node:crypto";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { AccountService } from "../../../gen/shop/api/v1/account_pb.ts";
import { AssortmentService } from "../../../gen/shop/api/v1/assortment_pb.ts";
import { CartService } from "../../../gen/shop/api/v1/cart_pb.ts";
import { OrderService, OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import { WarehouseService } from "../../../gen/shop/api/v1/warehouse_pb.ts";
import { SEED_PASSWORD } from "../seed-data.ts";
import type { Shop } from "./shop.ts";

/** Something that a method acts on. Its requests are always the same. */
export interface Subject {
  /** What the answer says that must be the same again. */
  call(key: string): Promise<unknown>;
  /** The same key for another request; undefined where that is no mistake. */
  other: ((key: string) => Promise<unknown>) | undefined;
  /** Changes what the call has changed, so that doing it again would show. */
  meanwhile?(): Promise<unknown>;
  /** A number that each effect makes larger by one. */
  effects(): Promise<number>;
}

/** A public method that changes something, and how to see that it does so once. */
export interface KeyedMethod {
  /** "OrderService/PlaceOrder" */
  readonly method: string;
  /** How many of the thousand lost replies are its. */
  readonly lost: number;
  subject(): Promise<Subject>;
}

const SKU = "COF-ESPRESSO-250";
const password = "correct horse";

/** All public methods that take a key, at an edge; `interceptor` stands between its clients and the wire. */
export async function keyedMethods(shop: Shop, interceptor: Interceptor): Promise<KeyedMethod[]> {
  const { edge } = shop.stack.addresses;
  const transport = createConnectTransport({ baseUrl: edge, httpVersion: "1.1", interceptors: [interceptor] });
  const accounts = createClient(AccountService, transport);
  const assortment = createClient(AssortmentService, transport);
  const carts = createClient(CartService, transport);
  const orders = createClient(OrderService, transport);
  const warehouse = createClient(WarehouseService, transport);
  const deliveries = createClient(
    WarehouseService,
    createGrpcTransport({ baseUrl: edge, interceptors: [interceptor] }),
  );
  const tokenOf = async (email: string) => (await accounts.logIn({ email, password: SEED_PASSWORD })).accessToken;
  const [clerk, manager] = [await tokenOf("clerk@shop.test"), await tokenOf("manager@shop.test")];
  const as = (token: string, key?: string) => ({
    headers: { authorization: `Bearer ${token}`, ...(key !== undefined && { "Idempotency-Key": key }) },
  });
  const count = async (service: string, sql: string, ...params: (string | number)[]) =>
    Number((await shop.rows<{ n: string }>(service, sql, params))[0]?.n);
  let numbers = 0;

  /** An order in a state, of a customer who has no other. */
  async function orderIn(state: OrderState) {
    const { token } = await shop.customer();
    const orderId = await place(orders, token, randomUUID());
    if (state === OrderState.CONFIRMED) return { orderId, token };
    for await (const { order } of orders.watchOrder({ orderId }, as(token)))
      if (order?.state === OrderState.PAID) break;
    if (state === OrderState.SHIPPED) await warehouse.shipOrder({ orderId, trackingNumber: "T-1" }, as(clerk));
    return { orderId, token };
  }
  const place = async (client: Client<typeof OrderService>, token: string, key: string, paymentMethod = "tok_visa") => {
    const request = { idempotencyKey: key, lines: [{ sku: SKU, quantity: 1 }], paymentMethod };
    return (await client.placeOrder(request, as(token))).order?.orderId ?? "";
  };
  const eventsOf = (orderId: string, type: string) => () =>
    count(
      "order",
      "SELECT COUNT(*) AS n FROM order_events WHERE order_id = ? AND type = ?",
      orderId,
      `shop.order.v1.${type}`,
    );
  const versionOf = (sku: string) => () => count("catalog", "SELECT version AS n FROM products WHERE sku = ?", sku);
  const nextSku = () => `W-10${String(1_000 + ++numbers)}`;

  return [
    {
      method: "AccountService/Register",
      lost: 20,
      async subject() {
        const request = { email: `${randomUUID()}@example.com`, password, displayName: "Ada" };
        const told = `SELECT COUNT(*) AS n FROM weft_outbox AS o JOIN users AS u ON u.user_id = o.aggregate_id
          WHERE u.email = ? AND o.type = 'shop.user.v1.UserRegistered'`;
        const register = (key: string, changes: object = {}) =>
          accounts.register({ ...request, ...changes }, { headers: { "Idempotency-Key": key } });
        return {
          call: (key) => register(key),
          other: (key) => register(key, { password: "another horse" }),
          effects: () => count("user", told, request.email),
        };
      },
    },
    {
      method: "AccountService/UpdateProfile",
      lost: 150,
      async subject() {
        const { token, userId } = await shop.customer();
        const set = (phone: string, key?: string) =>
          accounts.updateProfile({ profile: { phone }, updateMask: { paths: ["phone"] } }, as(token, key));
        return {
          call: (key) => set("+4930123456", key),
          other: (key) => set("+4930123457", key),
          meanwhile: () => set("+4930123458"),
          effects: () => count("user", "SELECT version AS n FROM users WHERE user_id = ?", userId),
        };
      },
    },
    {
      method: "CartService/SetCartItem",
      lost: 180,
      async subject() {
        const visitorCartId = randomUUID();
        const set = (quantity: number, key?: string) =>
          carts.setCartItem(
            { visitorCartId, sku: SKU, quantity },
            key === undefined ? {} : { headers: { "Idempotency-Key": key } },
          );
        return {
          call: (key) => set(2, key),
          other: (key) => set(3, key),
          meanwhile: () => set(4),
          effects: async () => Number((await carts.getCart({ visitorCartId })).cart?.version),
        };
      },
    },
    {
      method: "CartService/MergeCart",
      lost: 100,
      async subject() {
        const { token } = await shop.customer();
        const visitorCartId = randomUUID();
        const put = (quantity: number) => carts.setCartItem({ visitorCartId, sku: SKU, quantity });
        await put(2);
        return {
          call: (key) => carts.mergeCart({ visitorCartId }, as(token, key)),
          other: (key) => carts.mergeCart({ visitorCartId: randomUUID() }, as(token, key)),
          meanwhile: () => put(3),
          effects: async () => Number((await carts.getCart({}, as(token))).cart?.version),
        };
      },
    },
    {
      method: "OrderService/PlaceOrder",
      lost: 100,
      async subject() {
        const { token, userId } = await shop.customer();
        return {
          call: (key) => place(orders, token, key),
          other: (key) => place(orders, token, key, "tok_other"),
          effects: () => count("order", "SELECT COUNT(*) AS n FROM orders WHERE user_id = ?", userId),
        };
      },
    },
    {
      method: "OrderService/CancelOrder",
      lost: 40,
      async subject() {
        const { orderId, token } = await orderIn(OrderState.CONFIRMED);
        return {
          call: (key) => orders.cancelOrder({ orderId }, as(token, key)),
          other: (key) => orders.cancelOrder({ orderId: "ord_other" }, as(token, key)),
          effects: eventsOf(orderId, "OrderCancelled"),
        };
      },
    },
    {
      method: "WarehouseService/ShipOrder",
      lost: 30,
      async subject() {
        const { orderId } = await orderIn(OrderState.PAID);
        const ship = (trackingNumber: string, key: string) =>
          warehouse.shipOrder({ orderId, trackingNumber }, as(clerk, key));
        return {
          call: (key) => ship("T-1", key),
          other: (key) => ship("T-2", key),
          meanwhile: () => warehouse.deliverOrder({ orderId }, as(clerk)),
          effects: eventsOf(orderId, "OrderShipped"),
        };
      },
    },
    {
      method: "WarehouseService/DeliverOrder",
      lost: 30,
      async subject() {
        const { orderId } = await orderIn(OrderState.SHIPPED);
        return {
          call: (key) => warehouse.deliverOrder({ orderId }, as(clerk, key)),
          other: (key) => warehouse.deliverOrder({ orderId: "ord_other" }, as(clerk, key)),
          effects: eventsOf(orderId, "OrderDelivered"),
        };
      },
    },
    {
      method: "WarehouseService/ImportStock",
      lost: 50,
      async subject() {
        const sku = nextSku();
        async function* lines(importId: string) {
          yield { importId, firstLine: 1n, lines: [{ sku, quantity: 1n }] };
        }
        return {
          call: (key) => deliveries.importStock(lines(key), as(clerk, key)),
          // Each line is a thing of its own: more of them under the same id are a delivery that goes on.
          other: undefined,
          effects: () => count("inventory", "SELECT on_hand AS n FROM stock WHERE sku = ?", sku),
        };
      },
    },
    {
      method: "AssortmentService/UpdateProduct",
      lost: 150,
      async subject() {
        const sku = nextSku();
        const rename = (name: string, key?: string) => assortment.updateProduct({ sku, name }, as(manager, key));
        return {
          call: (key) => rename("First", key),
          other: (key) => rename("Other", key),
          meanwhile: () => rename("Second"),
          effects: versionOf(sku),
        };
      },
    },
    {
      method: "AssortmentService/ChangePrice",
      lost: 150,
      async subject() {
        const sku = nextSku();
        const change = (minorUnits: bigint, key?: string) =>
          assortment.changePrice({ sku, price: { currencyCode: "EUR", minorUnits } }, as(manager, key));
        return {
          call: (key) => change(101n, key),
          other: (key) => change(102n, key),
          meanwhile: () => change(103n),
          effects: versionOf(sku),
        };
      },
    },
  ];
}
