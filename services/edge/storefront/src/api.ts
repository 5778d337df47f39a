import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AccountService } from "../../../../gen/shop/api/v1/account_pb.ts";
import { CartService } from "../../../../gen/shop/api/v1/cart_pb.ts";
import { CatalogService } from "../../../../gen/shop/api/v1/catalog_pb.ts";
import { OrderService } from "../../../../gen/shop/api/v1/order_pb.ts";
import { ReportService } from "../../../../gen/shop/api/v1/report_pb.ts";
import { WarehouseService } from "../../../../gen/shop/api/v1/warehouse_pb.ts";
import { reasonOf } from "./failure.ts";
import { sendKeys } from "./keys.ts";
import type { Session } from "./session.ts";

/** The shop's public API, as any client outside sees it. */
export interface Api {
  readonly accounts: Client<typeof AccountService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly carts: Client<typeof CartService>;
  readonly orders: Client<typeof OrderService>;
  /** Like orders, for what goes on until one leaves. */
  readonly streams: Client<typeof OrderService>;
  readonly warehouse: Client<typeof WarehouseService>;
  readonly reports: Client<typeof ReportService>;
}

/** The edge gives up sooner; this is for an edge that does not answer at all. */
const timeoutMs = 12_000;

/** Clients of the API at `baseUrl`. Reads are GET requests, so that the browser may keep what the edge lets it keep. */
export function createApi(baseUrl: string, session: Session, newKey: () => string): Api {
  const interceptors = [sendKeys(newKey), authorize(session)];
  const unary = createConnectTransport({ baseUrl, interceptors, useHttpGet: true, defaultTimeoutMs: timeoutMs });
  const streaming = createConnectTransport({ baseUrl, interceptors });
  return {
    accounts: createClient(AccountService, unary),
    catalog: createClient(CatalogService, unary),
    carts: createClient(CartService, unary),
    orders: createClient(OrderService, unary),
    streams: createClient(OrderService, streaming),
    warehouse: createClient(WarehouseService, unary),
    reports: createClient(ReportService, unary),
  };
}

/** Sends the access token. One that the edge does not take any more ends the session. */
export function authorize(session: Session): Interceptor {
  return (next) => async (request) => {
    const token = session.token();
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    try {
      return await next(request);
    } catch (error) {
      const refused = error instanceof ConnectError && error.code === Code.Unauthenticated ? reasonOf(error) : "";
      if (token === undefined || !refused.startsWith("TOKEN_")) throw error;
      session.end();
      // The catalog is open to everybody: only the token was wrong. A stream's request cannot be read twice.
      if (request.stream || request.service.typeName !== CatalogService.typeName) throw error;
      request.header.delete("authorization");
      return await next(request);
    }
  };
}
