import { Code } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import { anyDue, type DueRowsWorker, type OverdueRow, whyOverdue } from "@weft/mesh/data";
import { pageOfSagas, type SagaAdmin, type SagaStatus, type SagaStep } from "@weft/mesh/server";
import {
  apply,
  decide,
  nextStep,
  type Order,
  type OrderEvent,
  type OrderState,
  stateSince,
  transitions,
} from "./domain.ts";
import type { FulfilmentDeps } from "./fulfilment.ts";
import type { Stays } from "./saga.ts";
import { orderNotFound } from "./usecases.ts";

/** An order's saga: its row. */
export interface SagaRow extends Omit<OverdueRow, "key" | "dueAt"> {
  /** Undefined: there is nothing to do. */
  readonly dueAt: Date | undefined;
  readonly traceId: string;
}

export interface OrderAndSaga {
  readonly order: Order;
  readonly saga: SagaRow;
}

/** What happened to an order, oldest first. */
type History = readonly { readonly event: OrderEvent; readonly occurredAt: Date }[];

export interface SagaAdminDeps {
  readonly orders: FulfilmentDeps["orders"] & { events(orderId: string): Promise<History> };
  readonly sagaRows: {
    /** Those of the orders that exist. */
    of(orderIds: readonly string[]): Promise<OrderAndSaga[]>;
    /** Orders that have been in a state since before its time, those longest first. */
    inStateSince(before: ReadonlyMap<OrderState, Date>, limit: number): Promise<OrderAndSaga[]>;
  };
  readonly sagas: Pick<DueRowsWorker, "listOverdue" | "retry" | "stuckAfter" | "wake">;
  readonly clock: Clock;
  readonly stays: Stays;
  /** How much longer than it may an order is in its state before it counts as stuck. */
  readonly stuckAfterMs: number;
}

/** Sagas that a list is made from, of those due longest and of those longest in their state each. */
const listedMax = 1_000;

/** Checkout's sagas as operators see and treat them. */
export function createSagaAdmin(deps: SagaAdminDeps): SagaAdmin {
  const show = async (orderId: string) => {
    const [found] = await deps.sagaRows.of([orderId]);
    return found && describe(deps, found);
  };
  return {
    async list({ all, after, limit }) {
      const sagas = await (all ? listUnfinishedSagas(deps) : listStuckSagas(deps));
      return pageOfSagas(sagas, { after, limit });
    },

    async get(orderId) {
      const saga = await show(orderId);
      return saga && { saga, steps: stepsOf(await deps.orders.events(orderId)) };
    },

    async retry(orderId) {
      await retrySaga(deps, orderId);
      return await show(orderId);
    },

    async compensate(orderId) {
      await compensateSaga(deps, orderId);
      return await show(orderId);
    },
  };
}

/**
 * Orders that do not get on: whose step fails again and again or is run by nobody, and, whatever
 * their saga says, those that have been in a state for longer than they may. CONFIRMED waits for payment to tell of the capture; that is
 * never guessed, so it is listed too.
 */
export async function listStuckSagas(deps: SagaAdminDeps): Promise<SagaStatus[]> {
  const nowMs = deps.clock.now();
  const before = new Map([...longestStays(deps)].map(([state, ms]) => [state, new Date(nowMs - ms)]));
  const sagas = await listSagas(deps, before, await deps.sagas.listOverdue(listedMax));
  return sagas.filter(({ stuckBecause }) => stuckBecause !== "");
}

/** Orders for which something is due, or is to come from somebody else. */
export async function listUnfinishedSagas(deps: SagaAdminDeps): Promise<SagaStatus[]> {
  const now = new Date(deps.clock.now());
  const before = new Map([...longestStays(deps).keys()].map((state) => [state, now]));
  return await listSagas(deps, before, await deps.sagas.listOverdue(listedMax, anyDue));
}

async function listSagas(
  deps: SagaAdminDeps,
  before: ReadonlyMap<OrderState, Date>,
  due: readonly OverdueRow[],
): Promise<SagaStatus[]> {
  const found = [
    ...(await deps.sagaRows.of(due.map(({ key }) => key))),
    ...(await deps.sagaRows.inStateSince(before, listedMax)),
  ];
  return [...new Map(found.map((one) => [one.order.orderId, describe(deps, one)])).values()];
}

/** Runs what is due for an order now, unless it is being run. @throws ConnectError FAILED_PRECONDITION (SAGA_FINISHED) if nothing is due */
export async function retrySaga(deps: SagaAdminDeps, orderId: string): Promise<void> {
  if (await deps.sagas.retry(orderId)) return;
  const [found] = await deps.sagaRows.of([orderId]);
  if (found === undefined || found.saga.dueAt !== undefined) return;
  const waits = found.order.state === "CONFIRMED" ? "; payment has to tell of the capture" : "";
  throw rpcError(Code.FailedPrecondition, `nothing is due for ${orderId}, which is ${found.order.state}${waits}`, {
    reason: "SAGA_FINISHED",
  });
}

/**
 * Cancels an order in the name of the shop. Money and stock are given back as after the customer's own cancellation. One that is cancelled
 * already is left as it is.
 *
 * @throws ConnectError NOT_FOUND; FAILED_PRECONDITION (NOT_COMPENSABLE) once it is SHIPPED
 */
export async function compensateSaga(deps: SagaAdminDeps, orderId: string): Promise<void> {
  await deps.orders.change(async (unit) => {
    const order = await unit.load(orderId);
    if (order === undefined) throw orderNotFound(orderId);
    if (order.state === "CANCELLED") return order;
    if (transitions[order.state].operatorCancelled === undefined) {
      const message = `${orderId} is ${order.state}: it cannot be cancelled any more`;
      throw rpcError(Code.FailedPrecondition, message, { reason: "NOT_COMPENSABLE" });
    }
    return await unit.append(order, decide(order, { type: "operatorCancelled" }));
  });
  deps.sagas.wake();
}

/** In the other states an order may be for ever, or they are the warehouse's, which lists them. */
function longestStays({ stays, stuckAfterMs }: SagaAdminDeps): ReadonlyMap<OrderState, number> {
  return new Map([
    ["PLACED", stays.placedTtlMs + stuckAfterMs],
    ["RESERVED", stays.reservedTtlMs + stuckAfterMs],
    ["AWAITING_PAYMENT", stays.awaitingPaymentTtlMs + stuckAfterMs],
    ["CONFIRMED", stuckAfterMs],
  ]);
}

function describe(deps: SagaAdminDeps, { order, saga }: OrderAndSaga): SagaStatus {
  const { dueAt, attempts, failures, lastError, leaseOwner, traceId } = saga;
  const changedAt = stateSince(order);
  const nowMs = deps.clock.now();
  const longestMs = longestStays(deps).get(order.state) ?? Number.POSITIVE_INFINITY;
  const overstays = nowMs - changedAt.getTime() >= longestMs;
  const why = whyOverdue(saga, deps.sagas.stuckAfter, nowMs);
  return {
    ...{ sagaId: order.orderId, kind: "checkout", state: order.state, changedAt, nextStep: stepOf(order, saga) },
    stuckBecause: why ?? (overstays ? `${order.state} for longer than ${Math.round(longestMs / 1_000)} s` : ""),
    ...{ dueAt, attempts, failures, lastError, leaseOwner, traceId },
  };
}

/** What is tried next. Of a capture payment tells. */
function stepOf(order: Order, { dueAt }: SagaRow): string {
  if (order.state === "CONFIRMED") return "capture";
  return dueAt === undefined ? "" : nextStep(order);
}

function stepsOf(history: History): SagaStep[] {
  let order: Order | undefined;
  return history.map(({ event, occurredAt }) => {
    order = apply(order, event, occurredAt);
    return { takenAt: occurredAt, name: order.state, detail: detailOf(event) };
  });
}

function detailOf(event: OrderEvent): string {
  switch (event.$typeName) {
    case "shop.order.v1.OrderCancelled":
      return event.reason;
    case "shop.order.v1.OrderShipped":
      return event.trackingNumber;
    default:
      return "";
  }
}
