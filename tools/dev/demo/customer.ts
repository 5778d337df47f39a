import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AccountService } from "../../../gen/shop/api/v1/account_pb.ts";
import { CatalogService } from "../../../gen/shop/api/v1/catalog_pb.ts";
import { OrderService } from "../../../gen/shop/api/v1/order_pb.ts";

/** What a customer's program has of the shop: the public API, by Connect's own client. */
export interface Customer {
  readonly accounts: Client<typeof AccountService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly orders: Client<typeof OrderService>;
  /** The id of the last answer, under which logs and traces know the call. */
  lastRequestId(): string;
  /** Sends the token with every call from now on. */
  use(accessToken: string): void;
}

/** Creates a customer of the edge at baseUrl. Every call has a deadline. */
export function createCustomer(baseUrl: string): Customer {
  let token: string | undefined;
  let requestId = "";
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "1.1",
    defaultTimeoutMs: 15_000,
    interceptors: [
      (next) => async (request) => {
        if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
        const response = await next(request);
        requestId = response.header.get("x-request-id") ?? "";
        return response;
      },
    ],
  });
  return {
    accounts: createClient(AccountService, transport),
    catalog: createClient(CatalogService, transport),
    orders: createClient(OrderService, transport),
    lastRequestId: () => requestId,
    use(accessToken) {
      token = accessToken;
    },
  };
}
