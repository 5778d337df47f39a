import type { ConnectError } from "@connectrpc/connect";
import type { Criticality } from "../gen/weft/v1/options_pb.ts";
import type { Entries } from "./entries.ts";
import type { TraceWords } from "./trace-words.ts";

/**
 * A call as whoever makes it keeps it: one object for the call's whole life. The tunnel reads its fields during send(), and calls
 * one of its methods once, later.
 */
export interface TunnelCall extends TraceWords {
  /** "package.Service/Method" of a unary method. */
  readonly path: string;
  /** The request, encoded: at most requestBytesMax. Copied by send(). */
  readonly message: Uint8Array;
  /** Milliseconds left, rounded up; 0: no deadline. */
  readonly timeoutMs: number;
  /** Everything but trace, attempt and criticality; undefined for none. */
  readonly metadata: Entries | undefined;
  /** Which attempt it is part of, along the chain; 0 is as 1. */
  readonly attempt: number;
  /** What the chain's first method is; unspecified: this call is the first. */
  readonly criticality: Criticality;
  /** The tunnel's own: the call's id there. -1 from the start, and when it is over. */
  tunnelId: number;
  /** The call has succeeded. The answer is good during this only, its message for longer (but it keeps a whole frame in memory). */
  answered(answer: TunnelAnswer): void;
  /**
   * The call has failed: with the peer's status; or with UNAVAILABLE because the tunnel broke, reason NOT_RUN (it surely did not run) or
   * MAY_HAVE_RUN, domain "weft".
   */
  failed(error: ConnectError): void;
}

/** An answer as it was read. One object for all answers of a tunnel. */
export interface TunnelAnswer {
  readonly message: Uint8Array;
  readonly header: Entries | undefined;
  readonly trailer: Entries | undefined;
  /** The message came in parts: the method gives answers that are better off on a gRPC call of their own. */
  readonly large: boolean;
  /** When its frame was read: the clock's monotonic(), one reading for each frame. */
  readonly receivedAtMs: number;
}

/** The client's end of a tunnel. */
export interface ClientTunnel {
  /** opening: the server's hello has not come; draining: either side wants no new calls. */
  readonly state: "opening" | "open" | "draining" | "closed";
  /** Calls in flight, those that were cancelled and not yet answered included. */
  readonly outstanding: number;
  /** Bytes of their messages. */
  readonly bytesInFlight: number;
  /**
   * Sends a call, with all others of this turn of the event loop. False: it was not taken (not open, no room, too large), nothing is
   * kept of it, and another tunnel or another way is to be tried.
   *
   * @throws ConnectError INVALID_ARGUMENT if the metadata is none that gRPC could carry
   */
  send(call: TunnelCall): boolean;
  /** Nobody waits for the call any more: none of its methods is called from here on. Of a call that is not in flight here, nothing. */
  cancel(call: TunnelCall): void;
  /** Takes no new calls, and ends the tunnel when those in flight are answered. */
  drain(): void;
  /** Ends the tunnel now: calls in flight fail. */
  close(): void;
}

export interface ClientTunnelListener {
  /** Calls can be sent. */
  opened(): void;
  /** The server wants no new calls; the tunnel ends when those in flight are answered. */
  draining(): void;
  /**
   * The tunnel is over; calls in flight have failed before this. No error: it was drained or closed here. UNIMPLEMENTED: the peer has no
   * tunnels; FAILED_PRECONDITION: it speaks no version of ours.
   */
  closed(error: ConnectError | undefined): void;
}
