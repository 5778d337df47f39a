import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { type PaymentSchema, PaymentService, PaymentState } from "../../gen/shop/payment/v1/payment_pb.ts";
import type { Payment } from "./domain.ts";
import { authorizePayment, getPayment, type PaymentDeps } from "./usecases.ts";

/** PaymentService over the use cases. */
export function paymentRoutes(deps: PaymentDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof PaymentService> = {
    async authorizePayment({ orderId, amount, paymentMethod }) {
      // The contract requires it; validation has seen to that.
      if (amount === undefined) throw rpcError(Code.InvalidArgument, "amount is missing");
      return { payment: toMessage(await authorizePayment(deps, { orderId, amount, paymentMethod })) };
    },

    async getPayment({ orderId }) {
      return { payment: toMessage(await getPayment(deps, orderId)) };
    },
  };
  return (router) => router.service(PaymentService, service);
}

function toMessage(payment: Payment): MessageInitShape<typeof PaymentSchema> {
  return {
    orderId: payment.orderId,
    state: PaymentState[payment.state],
    ...(payment.amount && { amount: payment.amount }),
    providerReference: payment.providerReference,
    reason: payment.reason,
    updatedAt: timestampFromDate(payment.updatedAt),
  };
}
