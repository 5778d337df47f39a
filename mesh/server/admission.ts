import type { ConnectError } from "@connectrpc/connect";
import type { Criticality } from "../contract/criticality.ts";
import type { MethodPolicy } from "../contract/policy.ts";

/** A call that asks to be let in. */
export interface AskingCall {
  readonly policy: MethodPolicy;
  /** Milliseconds since the epoch; Infinity if there is none. */
  readonly deadlineMs: number;
  /** When it came: milliseconds since the epoch, and on the monotonic clock. */
  readonly arrivedMs: number;
  readonly startedAtMs: number;
  /** As the chain's first method has it; undefined if nobody above has said. */
  readonly criticality: Criticality | undefined;
  readonly attempt: number;
  /** Set once its caller has left or its time is over: it waits no more. */
  readonly reason: Error | undefined;
  /** The Admission's, 0 at first: how long it has waited. */
  waitedMs: number;
  /** The Admission's, false at first: it has ended, and its handler is still counted. */
  lingers: boolean;
  /** Lets in a call that was told to wait. */
  admitted(): void;
  /** Turns away a call that was told to wait. */
  refused(error: ConnectError): void;
}

/**
 * Decides which unary calls a server works on, and when: the pipeline's `admit` stage. Asked after the caller is known and allowed to call, and before the
 * message is read. Probes do not ask.
 */
export interface Admission {
  /**
   * True: the call goes on at once. False: it waits until it is told.
   *
   * @throws ConnectError if it is turned away at once
   */
  enter(call: AskingCall): boolean;
  /** A call that was let in has ended. @param settled its handler has, too: false if its caller has not waited for that */
  leave(call: AskingCall, endedAtMs: number, settled: boolean): void;
  /** The handler of a call that has ended before has ended, too. */
  settled(call: AskingCall): void;
}
