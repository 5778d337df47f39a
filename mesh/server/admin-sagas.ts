import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import type { SagaSchema, SagaService } from "../gen/weft/admin/v1/sagas_pb.ts";
import type { Audited } from "../telemetry/audit.ts";
import { createPages } from "./admin-pages.ts";

/** One saga as an operator sees it. */
export interface SagaStatus {
  readonly sagaId: string;
  /** "checkout", "payment" */
  readonly kind: string;
  readonly state: string;
  /** What is tried next; empty if it is finished. */
  readonly nextStep: string;
  /** Runs begun since it last got on. */
  readonly attempts: number;
  readonly changedAt: Date;
  /** Undefined if it is finished. */
  readonly dueAt: Date | undefined;
  /** The instance that is working on it; empty if none is. */
  readonly leaseOwner: string;
  /** Why it counts as stuck; empty if it does not. */
  readonly stuckBecause: string;
  /** W3C trace id of the call that began it; may be empty. */
  readonly traceId: string;
  /** What the last run failed with; empty if it did not. */
  readonly lastError: string;
  /** Runs in a row that failed. */
  readonly failures: number;
}

export interface SagaStep {
  readonly takenAt: Date;
  readonly name: string;
  /** For people; may be empty. */
  readonly detail: string;
}

/** What a service with sagas lets operators see and do. Who may, paging and the audit are the mesh's concern. */
export interface SagaAdmin {
  /**
   * Sagas that are stuck, or all that are unfinished, those longest without progress first.
   *
   * @param options.after where the page before ended: `next` of its answer, back as it was
   */
  list(options: {
    readonly all: boolean;
    readonly after: readonly string[] | undefined;
    readonly limit: number;
  }): Promise<{ readonly sagas: readonly SagaStatus[]; readonly next: readonly string[] | undefined }>;
  /** Undefined if there is none of this id. */
  get(sagaId: string): Promise<{ readonly saga: SagaStatus; readonly steps: readonly SagaStep[] } | undefined>;
  /** Makes it due now. Undefined if there is none of this id. @throws ConnectError FAILED_PRECONDITION (SAGA_FINISHED) */
  retry(sagaId: string): Promise<SagaStatus | undefined>;
  /** Gives it up. Undefined if there is none of this id. @throws ConnectError FAILED_PRECONDITION (NOT_COMPENSABLE) saying why */
  compensate(sagaId: string, reason: string): Promise<SagaStatus | undefined>;
}

/** SagaService over a service's sagas. */
export function createSagaAdmin(
  sagas: SagaAdmin,
  audited: Audited,
  requireOperator: () => void,
): ServiceImpl<typeof SagaService> {
  return {
    async listSagas({ all, pageSize, pageToken }) {
      requireOperator();
      const pages = createPages(`weft.sagas/${all ? "all" : "stuck"}`);
      const after = pageToken === "" ? undefined : pages.after(pageToken);
      const { sagas: page, next } = await sagas.list({ all, after, limit: pages.size(pageSize) });
      return { sagas: page.map(toMessage), nextPageToken: pages.next(next) };
    },
    async getSaga({ sagaId }) {
      requireOperator();
      const { saga, steps } = must(await sagas.get(sagaId), sagaId);
      const taken = steps.map(({ takenAt, ...step }) => ({ ...step, takenAt: timestampFromDate(takenAt) }));
      return { saga: toMessage(saga), steps: taken };
    },
    async retrySaga({ sagaId }) {
      requireOperator();
      const retry = async () => must(await sagas.retry(sagaId), sagaId);
      return { saga: toMessage(await audited("RetrySaga", sagaId, retry, { outcome: summary })) };
    },
    async compensateSaga({ sagaId, reason }) {
      requireOperator();
      const compensate = async () => must(await sagas.compensate(sagaId, reason), sagaId);
      return { saga: toMessage(await audited("CompensateSaga", sagaId, compensate, { reason, outcome: summary })) };
    },
  };
}

function summary({ state, nextStep }: SagaStatus): string {
  return nextStep === "" ? `${state}, finished` : `${state}, next: ${nextStep}`;
}

function must<T>(found: T | undefined, sagaId: string): T {
  if (found !== undefined) return found;
  throw rpcError(Code.NotFound, `there is no saga ${sagaId}`, { reason: "SAGA_NOT_FOUND", domain: "weft" });
}

function toMessage({ changedAt, dueAt, ...saga }: SagaStatus): MessageInitShape<typeof SagaSchema> {
  return {
    ...saga,
    changedAt: timestampFromDate(changedAt),
    ...(dueAt && { dueAt: timestampFromDate(dueAt) }),
  };
}
