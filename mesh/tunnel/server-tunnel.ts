import type { ConnectError } from "@connectrpc/connect";
import type { Criticality } from "../gen/weft/v1/options_pb.ts";
import type { Entries } from "./entries.ts";
import type { TraceWords } from "./trace-words.ts";

/** A call as it was read. One object for all calls of a tunnel: what is needed later is copied. */
export interface ReceivedCall extends TraceWords {
  /** The call's id on its tunnel: for ServedCall.tunnelId. */
  readonly id: number;
  /** Milliseconds that the caller gives; 0: it names no deadline. */
  readonly timeoutMs: number;
  /** Good for longer, but it keeps a whole frame in memory. */
  readonly message: Uint8Array;
  /** An array of the call's own; undefined for none. */
  readonly metadata: Entries | undefined;
  /** 0 is as 1. */
  readonly attempt: number;
  /** May be a value that this release does not know: as unspecified. */
  readonly criticality: Criticality;
  /** When its frame was read: the clock's monotonic(), one reading for each frame. */
  readonly receivedAtMs: number;
}

/** A call as its server keeps it: one object for the call's whole life. */
export interface ServedCall {
  /** ReceivedCall.id; -1 when the call is over. */
  tunnelId: number;
  /** Runs the call. It may be answered during this already. Must not throw. */
  start(): void;
  /** Nobody waits for its answer any more: its caller has cancelled it, or is gone. Called at most once; answers come to nothing from here on. */
  cancelled(): void;
}

/** What a tunnel's server makes of its calls. One for each tunnel, since the peer is the tunnel's. */
export interface TunnelHandler<Route> {
  /** Asked once for each tunnel and path. Undefined: calls of it are answered UNIMPLEMENTED. */
  resolve(path: string): Route | undefined;
  /** Takes a call; it is answered from start() on, not before. Must not throw. */
  accept(route: Route, call: ReceivedCall): ServedCall;
  /** The tunnel is over; calls in hand have been cancelled before this. */
  closed?(error: ConnectError | undefined): void;
}

/** The server's end of a tunnel. */
export interface ServerTunnel {
  /** Calls in hand. */
  readonly inHand: number;
  /**
   * Answers a call, once; leaves with all others of this turn of the event loop. The message is copied if it is small, and belongs to the tunnel if not.
   *
   * @throws ConnectError INTERNAL if the metadata is none that gRPC could carry; the call is to be answered still
   */
  answer(call: ServedCall, message: Uint8Array, header?: Entries, trailer?: Entries): void;
  /** Answers a call with what it failed with. @param trailer by default the error's word on whether to try again, if it has one */
  fail(call: ServedCall, error: ConnectError, trailer?: Entries): void;
  /** Asks the client for no more calls; those that come all the same are answered NOT_RUN. The tunnel ends when its client has ended it. */
  drain(): void;
  /** Ends the tunnel now: calls in hand are cancelled. */
  close(error?: ConnectError): void;
}
