import { Code } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import { anyDue, type DueRowsWorker, type OverdueRow, whyOverdue } from "@weft/mesh/data";
import { pageOfSagas, type SagaAdmin, type SagaStatus } from "@weft/mesh/server";
import { nextAction, type Payment } from "./domain.ts";

/** A payment's row, as a due row. */
export interface DuePayment extends Omit<OverdueRow, "key" | "dueAt"> {
  readonly payment: Payment;
  /** Undefined: there is nothing to do. */
  readonly dueAt: Date | undefined;
  readonly traceId: string;
}

export interface SagaAdminDeps {
  /** Those of the orders that have a payment. */
  readonly duePayments: (orderIds: readonly string[]) => Promise<DuePayment[]>;
  readonly worker: Pick<DueRowsWorker, "listOverdue" | "retry" | "stuckAfter">;
  readonly clock: Clock;
}

/** Payments that a list is made from; were there more, those due longest are in it. */
const listedMax = 1_000;

/**
 * Payments as operators see and treat them: an outcome that nobody can find out, a capture, a void or a refund that the provider will not
 * do. They are asked for without end, so that none is forgotten, and listed from stuckAfter on.
 */
export function createSagaAdmin(deps: SagaAdminDeps): SagaAdmin {
  const { duePayments, worker } = deps;
  const find = async (orderId: string) => (await duePayments([orderId]))[0];
  const show = async (orderId: string) => {
    const found = await find(orderId);
    return found && describe(deps, found);
  };
  return {
    async list({ all, after, limit }) {
      const due = await worker.listOverdue(listedMax, all ? anyDue : worker.stuckAfter);
      const found = (await duePayments(due.map(({ key }) => key))).map((payment) => describe(deps, payment));
      const sagas = found.filter(({ stuckBecause }) => all || stuckBecause !== "");
      return pageOfSagas(sagas, { after, limit });
    },

    async get(orderId) {
      const found = await find(orderId);
      if (found === undefined) return undefined;
      const { state, updatedAt, reason } = found.payment;
      // Of a payment only the last change is kept.
      return { saga: describe(deps, found), steps: [{ takenAt: updatedAt, name: state, detail: reason }] };
    },

    async retry(orderId) {
      const isDue = await worker.retry(orderId);
      const saga = await show(orderId);
      if (isDue || saga === undefined || saga.dueAt !== undefined) return saga;
      throw rpcError(Code.FailedPrecondition, `nothing is due for the payment of ${orderId}, which is ${saga.state}`, {
        reason: "SAGA_FINISHED",
      });
    },

    async compensate(orderId) {
      if ((await find(orderId)) === undefined) return undefined;
      throw rpcError(Code.FailedPrecondition, `a payment follows its order: have order's saga ${orderId} compensated`, {
        reason: "NOT_COMPENSABLE",
      });
    },
  };
}

function describe({ worker, clock }: SagaAdminDeps, due: DuePayment): SagaStatus {
  const { payment, dueAt, attempts, failures, lastError, leaseOwner, traceId } = due;
  const action = nextAction(payment);
  return {
    ...{ sagaId: payment.orderId, kind: "payment", state: payment.state, changedAt: payment.updatedAt },
    nextStep: action === "nothing" ? "" : action,
    stuckBecause: whyOverdue(due, worker.stuckAfter, clock.now()) ?? "",
    ...{ dueAt, attempts, failures, lastError, leaseOwner, traceId },
  };
}
