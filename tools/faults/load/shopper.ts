import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AccountService } from "../../../gen/shop/api/v1/account_pb.ts";
import { CartService } from "../../../gen/shop/api/v1/cart_pb.ts";
import { CatalogService } from "../../../gen/shop/api/v1/catalog_pb.ts";
import { OrderService } from "../../../gen/shop/api/v1/order_pb.ts";

/** A customer's program: the public API by Connect's own client. */
export interface Shopper {
  readonly userId: string;
  readonly catalog: Client<typeof CatalogService>;
  readonly carts: Client<typeof CartService>;
  readonly orders: Client<typeof OrderService>;
  /** Gets a new access token: they live for 15 minutes. */
  logIn(): Promise<void>;
}

/** The longest that the edge takes is 6 s. */
const ATTEMPT_TIMEOUT_MS = 7_000;

/** Registers a customer and logs in. */
export async function registerShopper(edgeUrl: string, email: string): Promise<Shopper> {
  let token: string | undefined;
  const transport = createConnectTransport({
    baseUrl: edgeUrl,
    httpVersion: "1.1",
    defaultTimeoutMs: ATTEMPT_TIMEOUT_MS,
    interceptors: [
      (next) => (request) => {
        if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  const accounts = createClient(AccountService, transport);
  const password = "correct horse battery";
  const logIn = async (): Promise<void> => {
    token = (await accounts.logIn({ email, password })).accessToken;
  };
  const { userId } = await accounts.register({ email, password, displayName: "Ada" });
  await logIn();
  return {
    userId,
    logIn,
    catalog: createClient(CatalogService, transport),
    carts: createClient(CartService, transport),
    orders: createClient(OrderService, transport),
  };
}

/** Answers that say for certain that nothing was done and that asking again is no use. */
const REFUSALS: readonly Code[] = [
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
  Code.Unauthenticated,
];

/** What came of a call after all its attempts. */
export type Outcome<T> =
  | { readonly outcome: "ok"; readonly answer: T; readonly attempts: number }
  | { readonly outcome: "refused" | "unknown"; readonly code: string; readonly attempts: number };

export interface RetryOptions {
  /** No attempt begins later than this after the first. */
  readonly budgetMs: number;
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<unknown>;
  readonly now: () => number;
}

const BACKOFF_MS = { first: 150, max: 1_500 };

/** Asks again, with the same request, while nobody can say whether it was done: as a good client does. */
export async function askUntilAnswered<T>(ask: () => Promise<T>, options: RetryOptions): Promise<Outcome<T>> {
  const startedMs = options.now();
  for (let attempts = 1; ; attempts += 1) {
    try {
      return { outcome: "ok", answer: await ask(), attempts };
    } catch (error) {
      const { code } = ConnectError.from(error);
      const name = Code[code] ?? String(code);
      if (REFUSALS.includes(code)) return { outcome: "refused", code: name, attempts };
      const backoffMs = Math.min(BACKOFF_MS.max, BACKOFF_MS.first * 2 ** (attempts - 1)) * (0.5 + options.random() / 2);
      if (options.now() + backoffMs - startedMs > options.budgetMs) return { outcome: "unknown", code: name, attempts };
      await options.pause(backoffMs);
    }
  }
}
