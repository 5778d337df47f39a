import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import type { SagaAdmin, SagaStatus } from "../server/admin-sagas.ts";

const saga = (sagaId: string): SagaStatus => ({
  ...{ sagaId, kind: "checkout", state: "RESERVED", nextStep: "authorize", attempts: 12 },
  ...{
    changedAt: new Date(1_000),
    dueAt: new Date(2_000),
    leaseOwner: "",
    stuckBecause: "tried 12 times",
    traceId: "",
    lastError: "away",
    failures: 12,
  },
});

/** Sagas in memory: as many as one asks for, "none" apart; the one that is "paid" cannot be compensated. */
export const rememberedSagas: SagaAdmin = {
  async list({ all, after, limit }) {
    const from = Number(after?.[0] ?? 0);
    const page = Array.from({ length: limit }, (_, index) => saga(`${all ? "all" : "stuck"}-${from + index}`));
    return { sagas: page, next: from > 0 ? undefined : [String(limit)] };
  },
  get: async (sagaId) =>
    sagaId === "none"
      ? undefined
      : { saga: saga(sagaId), steps: [{ takenAt: new Date(500), name: "OrderPlaced", detail: "" }] },
  retry: async (sagaId) => (sagaId === "none" ? undefined : saga(sagaId)),
  async compensate(sagaId) {
    if (sagaId !== "paid") return { ...saga(sagaId), state: "CANCELLED", nextStep: "" };
    throw rpcError(Code.FailedPrecondition, "it is paid", { reason: "NOT_COMPENSABLE" });
  },
};
