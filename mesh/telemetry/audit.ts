import { Code, ConnectError } from "@connectrpc/connect";
import { trace } from "@opentelemetry/api";
import { currentCall, currentOtelContext, runDetached } from "../context/call-context.ts";
import type { Telemetry } from "./telemetry.ts";

export interface AuditedOptions<T> {
  /** It is only tried, and changes nothing. */
  readonly dryRun?: boolean;
  /** Why, as the operator has written. */
  readonly reason?: string;
  /** What became of it, in a few words; "done" by default. */
  readonly outcome?: (result: T) => string;
}

/**
 * Does what an operator asks for: written down before (or it is not done), completed after, whatever becomes of the caller. Who
 * asks is the ambient call's peer.
 *
 * @param action the method's name: "RebuildHistory"
 * @param target what it is done to: "order_history"
 * @throws what fn throws; UNAVAILABLE and the like if it could not be written down
 */
export type Audited = <T>(
  action: string,
  target: string,
  fn: () => Promise<T>,
  options?: AuditedOptions<T>,
) => Promise<T>;

/** One action as it was written down. */
export interface AuditEntry {
  readonly id: bigint;
  readonly peer: string;
  readonly claimedOperator: string;
  readonly beganAt: Date;
  /** Undefined while it is under way, and for ever if its process died. */
  readonly endedAt: Date | undefined;
  readonly action: string;
  readonly target: string;
  readonly dryRun: boolean;
  readonly reason: string;
  readonly outcome: string;
  readonly failed: boolean;
  readonly traceId: string;
}

/** What operators did to a service. */
export interface Audit {
  readonly audited: Audited;
  /** Newest first, those before an entry if one is named. */
  list(options: { readonly beforeId?: bigint | undefined; readonly limit: number }): Promise<AuditEntry[]>;
}

/** Where actions are written. */
export interface AuditStore {
  /** Answers with the entry's id. */
  begin(action: BegunAction): Promise<bigint>;
  end(id: bigint, outcome: string, failed: boolean): Promise<void>;
}

export interface BegunAction {
  readonly peer: string;
  readonly claimedOperator: string;
  readonly action: string;
  readonly target: string;
  readonly dryRun: boolean;
  readonly reason: string;
  readonly traceId: string;
}

const targetLengthMax = 500;
const reasonLengthMax = 1_000;
const outcomeLengthMax = 1_000;
/** Time for the outcome to be written, which the caller's deadline has nothing to do with. */
const endTimeoutMs = 5_000;

/** Creates the audit of a service that has no schema: its log is where actions are written, and where they are read. */
export function createLogAudit(telemetry: Telemetry): Omit<Audit, "list"> {
  let last = 0n;
  return { audited: createAudited({ begin: async () => ++last, end: async () => {} }, telemetry) };
}

/** Creates the function that writes actions down. */
export function createAudited(store: AuditStore, { logger }: Telemetry): Audited {
  return async (action, target, fn, options = {}) => {
    const { dryRun = false, reason = "", outcome = () => "done" } = options;
    const call = currentCall();
    const begun: BegunAction = {
      peer: call?.peer ?? "",
      claimedOperator: call?.claimedOperator ?? "",
      action,
      target: target.slice(0, targetLengthMax),
      dryRun,
      reason: reason.slice(0, reasonLengthMax),
      traceId: trace.getSpanContext(currentOtelContext())?.traceId ?? "",
    };
    const id = await store.begin(begun);
    const fields = {
      audit_id: String(id),
      peer: begun.peer,
      claimed_operator: begun.claimedOperator,
      action,
      target: begun.target,
      dry_run: dryRun,
      reason: begun.reason,
    };
    logger.info("operator's action begins", fields);
    const end = async (text: string, failed: boolean) => {
      const short = text.slice(0, outcomeLengthMax);
      logger.info("operator's action has ended", { ...fields, outcome: short, failed });
      try {
        await runDetached({ timeoutMs: endTimeoutMs }, () => store.end(id, short, failed));
      } catch (error) {
        // It has happened: the entry stays without an outcome, and the line above says it.
        logger.error("an action's outcome could not be written down", { ...fields, error });
      }
    };
    try {
      const result = await fn();
      await end(outcome(result), false);
      return result;
    } catch (error) {
      await end(failureText(error), true);
      throw error;
    }
  };
}

/** Of a foreign error only its kind: its text may hold what customers typed, and the audit is kept for long. */
function failureText(error: unknown): string {
  if (error instanceof ConnectError) return `${Code[error.code]}: ${error.rawMessage}`;
  return error instanceof Error ? error.name : "failed";
}
