import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Mesh } from "@weft/mesh/client";
import { meaningOf, rpcError } from "@weft/mesh/contract";
import { ErrorInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import type { Logger } from "@weft/mesh/telemetry";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { type Payment, PaymentService, PaymentState } from "../../gen/shop/payment/v1/payment_pb.ts";
import type { AuthorizationAnswer, SagaDeps } from "./saga.ts";
import type { PlaceOrderDeps } from "./usecases.ts";

type Transports = Pick<Mesh, "transport">;

/**
 * A checkout does not wait longer for payment: the order is then kept, and asked for later. Within a second a customer hears that: the
 * rest is for what comes before and after, on a busy machine.
 */
export const authorizeTimeoutMs = 600;

/** Prices, of the catalog's, as they are now: not what it keeps for those who only look. */
export function createCatalog(mesh: Transports): PlaceOrderDeps["catalog"] {
  const client = createClient(CatalogService, mesh.transport("catalog"));
  return {
    async prices(skus) {
      const { products } = await client.batchGetProducts({ skus: [...skus], fresh: true });
      return new Map(
        products.map(({ sku, name, price }) => {
          if (price === undefined) throw rpcError(Code.Internal, `the catalog gives no price for ${sku}`);
          return [sku, { sku, name, price }];
        }),
      );
    },
  };
}

/** Stock, of inventory's. */
export function createInventory(mesh: Transports): SagaDeps["inventory"] {
  const client = createClient(InventoryService, mesh.transport("inventory"));
  return {
    async reserve({ orderId, lines }) {
      try {
        await client.reserveStock({ orderId, lines: lines.map(({ sku, quantity }) => ({ sku, quantity })) });
        return { type: "reserved" };
      } catch (error) {
        const reason = refusalOf(error);
        if (reason === undefined) throw error;
        return { type: "refused", reason };
      }
    },
    async release(orderId) {
      await client.releaseStock({ orderId });
    },
  };
}

/**
 * Authorizations, of payment's. That payment is ill or slow is an answer here, "unknown": it may have got through. The order
 * then only waits, so nobody else would say in the log why.
 */
export function createPayment(mesh: Transports, logger: Logger): SagaDeps["payment"] {
  const client = createClient(PaymentService, mesh.transport("payment"));
  const answered = async (
    orderId: string,
    call: Promise<{ payment?: Payment | undefined }>,
  ): Promise<AuthorizationAnswer> => {
    try {
      return answerOf((await call).payment);
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      logger[meaningOf(code).logLevel]("nobody knows whether an order is paid", {
        order_id: orderId,
        code: Code[code],
        detail: rawMessage,
      });
      return { type: "unknown" };
    }
  };
  return {
    authorize: ({ orderId, total: amount }, paymentMethod) =>
      answered(orderId, client.authorizePayment({ orderId, amount, paymentMethod }, { timeoutMs: authorizeTimeoutMs })),
    ask: (orderId) => answered(orderId, client.getPayment({ orderId })),
  };
}

/** What an answer of payment's means to the order. Exported for its table of tests. */
export function answerOf(payment: Pick<Payment, "state" | "reason"> | undefined): AuthorizationAnswer {
  switch (payment?.state) {
    case PaymentState.AUTHORIZED:
    case PaymentState.CAPTURED:
      return { type: "authorized" };
    case PaymentState.DECLINED:
    case PaymentState.FAILED:
      return { type: "declined", reason: payment.reason };
    case PaymentState.VOIDED:
      return { type: "declined", reason: payment.reason || "the authorization was given back" };
    case PaymentState.REFUNDED:
      return { type: "declined", reason: "the payment was given back" };
    default:
      return { type: "unknown" };
  }
}

/** Why inventory will never hold this stock; undefined if another attempt may succeed. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof ConnectError) || error.code !== Code.FailedPrecondition) return undefined;
  const [info] = error.findDetails(ErrorInfoSchema);
  // The short SKUs, each with what was wanted and what there is.
  const shortages = Object.entries(info?.metadata ?? {}).map(([sku, text]) => `${sku} (${text})`);
  if (info?.reason === "OUT_OF_STOCK") return shortages.join(", ");
  return info?.reason === "RESERVATION_RELEASED" ? "its reservation was given back" : undefined;
}
