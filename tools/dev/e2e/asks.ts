import { randomUUID } from "node:crypto";
import type { Shop } from "./shop.ts";

/** What a customer wants of the shop. */
export type Ask = "page" | "checkout" | "cart" | "log-in";

/** What he gets, in few words, and when. */
export interface Answer {
  readonly says: string;
  readonly tookMs: number;
}

/** Asks the public API as a program outside does, in JSON, and puts each answer into words. */
export type Asking = Readonly<Record<Ask, () => Promise<Answer>>>;

/** Nobody orders it, so that nothing was bought together with it. */
const viewedSku = "HOM-BLANKET-WOOL";
/** Above every deadline of the public API. */
const patienceMs = 15_000;

/** What is used of the answers. */
interface Body {
  readonly code?: string;
  readonly details?: readonly { readonly type: string; readonly debug?: { readonly retryDelay?: string } }[];
  readonly available?: string;
  readonly recommendations?: readonly unknown[];
  readonly degraded?: readonly string[];
  readonly order?: { readonly state: string };
}

export async function createAsking(edge: string, customer: Awaited<ReturnType<Shop["customer"]>>): Promise<Asking> {
  // Of so many products that none is sold out at the end of a test.
  const { products } = await customer.catalog.listProducts({ pageSize: 100 });
  const skus = products.map(({ sku }) => sku).filter((sku) => sku !== viewedSku);
  const ask = async (method: string, request: object, describe: (body: Body) => string): Promise<Answer> => {
    const startedMs = performance.now();
    const response = await fetch(`${edge}/shop.api.v1.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${customer.token}` },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(patienceMs),
    });
    const body = (await response.json()) as Body;
    const says = response.ok ? describe(body) : describeError(response.status, body);
    return { says, tookMs: performance.now() - startedMs };
  };
  let orders = 0;
  return {
    page: () => ask("CatalogService/GetProductPage", { sku: viewedSku }, describePage),
    checkout: () => {
      const lines = [{ sku: skus[orders++ % skus.length], quantity: 1 }];
      const request = { idempotencyKey: randomUUID(), lines, paymentMethod: "tok_visa" };
      return ask("OrderService/PlaceOrder", request, describeOrder);
    },
    cart: () => ask("CartService/SetCartItem", { sku: viewedSku, quantity: 1 }, () => "200, the cart"),
    "log-in": () =>
      ask("AccountService/LogIn", { email: customer.email, password: "correct horse" }, () => "200, logged in"),
  };
}

function describePage({ available, recommendations = [], degraded = [] }: Body): string {
  const parts = [
    ...(available === undefined ? ["no stock"] : []),
    ...(recommendations.length === 0 ? ["no recommendations"] : []),
  ];
  const flags = degraded.length > 0 ? `, degraded: ${degraded.join(", ")}` : "";
  return `200, ${parts.join(", ") || "whole"}${flags}`;
}

function describeOrder({ order }: Body): string {
  return `200, ${order?.state.replace("ORDER_STATE_", "")}`;
}

function describeError(status: number, { code, details = [] }: Body): string {
  const again = details.find(({ type }) => type === "google.rpc.RetryInfo")?.debug?.retryDelay;
  return `${status} ${code}${again === undefined ? "" : `, again in ${again}`}`;
}
