import { Code, type ConnectError } from "@connectrpc/connect";
import { type Clock, systemClock } from "../contract/clock.ts";
import { mayHaveRunReason, notRunReason, rpcError } from "../contract/errors.ts";
import { decodeError } from "../contract/grpc-status.ts";
import { pushbackTrailer } from "../contract/pushback.ts";
import { Feature } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { CallSlots } from "./call-slots.ts";
import { writeCall, writeCancel, writeClientHello, writeMethod } from "./client-frame.ts";
import type { ClientTunnel, ClientTunnelListener, TunnelCall } from "./client-tunnel.ts";
import { type Entries, entryOf } from "./entries.ts";
import { FrameError } from "./frame-error.ts";
import { FrameSender } from "./frame-sender.ts";
import {
  answerBytesMax,
  callsMax,
  frameBytesMax,
  methodsMax,
  requestBytesInFlightMax,
  requestBytesMax,
  versionMax,
  versionMin,
} from "./limits.ts";
import { PartBuffer } from "./part-buffer.ts";
import { type ReadAnswer, ServerFrameReader, type ServerFrameVisitor, type ServerHelloFields } from "./server-frame.ts";
import type { TunnelStream, TunnelStreamListener } from "./tunnel-stream.ts";

export interface ClientTunnelOptions {
  readonly clock?: Clock;
}

/** Opens the client's end of a tunnel on a stream that nothing has been sent on. */
export function openTunnel(
  stream: TunnelStream,
  listener: ClientTunnelListener,
  { clock = systemClock }: ClientTunnelOptions = {},
): ClientTunnel {
  return new ClientSession(stream, listener, clock);
}

class ClientSession implements ClientTunnel, TunnelStreamListener, ServerFrameVisitor {
  state: ClientTunnel["state"] = "opening";
  readonly #stream: TunnelStream;
  readonly #listener: ClientTunnelListener;
  readonly #clock: Clock;
  readonly #sender: FrameSender;
  readonly #reader = new ServerFrameReader();
  readonly #parts = new PartBuffer(answerBytesMax);
  readonly #methods = new Map<string, number>();
  /** Calls that are in the frame being written: of those it is known that they have not run. */
  readonly #unsent: TunnelCall[] = [];
  /** Cancels are in the frame being written, so that it must not use their ids again. */
  #cancelsUnsent = false;
  #slots = new CallSlots<TunnelCall>(0);
  #bytesMax = 0;
  #messageBytesMax = 0;
  #methodsMax = 0;
  #hasEnded = false;

  constructor(stream: TunnelStream, listener: ClientTunnelListener, clock: Clock) {
    this.#stream = stream;
    this.#listener = listener;
    this.#clock = clock;
    this.#sender = new FrameSender(stream, () => {
      this.#unsent.length = 0;
      this.#cancelsUnsent = false;
    });
    stream.listen(this);
    writeClientHello(this.#sender.writer, {
      versionMin,
      versionMax,
      features: Feature.ANSWER_PARTS,
      answerBytesMax,
    });
    this.#sender.flush();
  }

  get outstanding(): number {
    return this.#slots.count;
  }

  get bytesInFlight(): number {
    return this.#slots.bytesInFlight;
  }

  send(call: TunnelCall): boolean {
    const slots = this.#slots;
    const { length } = call.message;
    if (this.state !== "open" || slots.isFull) return false;
    if (length > this.#messageBytesMax || slots.bytesInFlight + length > this.#bytesMax) return false;
    const method = this.#methods.get(call.path) ?? this.#announce(call.path);
    if (method === undefined) return false;
    const id = slots.add(call, length);
    try {
      writeCall(this.#sender.writer, id, method, call);
    } catch (cause) {
      slots.remove(id);
      throw rpcError(Code.InvalidArgument, cause instanceof Error ? cause.message : String(cause), {
        reason: "MALFORMED_METADATA",
        domain: "weft",
        cause,
      });
    }
    call.tunnelId = id;
    this.#unsent.push(call);
    this.#sender.wrote();
    return true;
  }

  #announce(path: string): number | undefined {
    const number = this.#methods.size;
    if (number >= this.#methodsMax) return undefined;
    this.#methods.set(path, number);
    writeMethod(this.#sender.writer, number, path);
    return number;
  }

  cancel(call: TunnelCall): void {
    const id = call.tunnelId;
    if (id < 0 || this.#slots.get(id) !== call) return;
    call.tunnelId = -1;
    // The id stays in use until the server has answered.
    this.#slots.replace(id, abandoned);
    this.#parts.drop(id);
    writeCancel(this.#sender.writer, id);
    this.#cancelsUnsent = true;
    this.#sender.schedule();
  }

  drain(): void {
    if (this.state === "opening") this.close();
    if (this.state !== "open") return;
    this.state = "draining";
    this.#endIfDone();
  }

  close(): void {
    if (this.state === "closed") return;
    this.#stream.cut();
    this.#over(undefined);
  }

  frame(frame: Buffer): void {
    if (this.state === "closed") return;
    try {
      if (frame.length > frameBytesMax) throw new FrameError(`the frame has ${frame.length} bytes`);
      this.#reader.read(frame, this.#clock.monotonic(), this);
      if (this.state === "opening") throw new FrameError("its first frame has no hello");
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#stream.cut();
      this.#over(rpcError(Code.Internal, `the server broke the rules of the tunnel: ${error.message}`));
    }
    if (this.state === "draining") this.#endIfDone();
  }

  hello(hello: ServerHelloFields): void {
    if (this.state !== "opening") throw new FrameError("a second hello came");
    if (hello.version < versionMin || hello.version > versionMax) {
      throw new FrameError(`it speaks version ${hello.version}, which was not offered`);
    }
    this.#slots = new CallSlots(Math.min(hello.callsMax, callsMax));
    this.#bytesMax = Math.min(hello.requestBytesMax, requestBytesInFlightMax);
    this.#messageBytesMax = Math.min(hello.messageBytesMax, requestBytesMax);
    this.#methodsMax = Math.min(hello.methodsMax, methodsMax);
    this.state = "open";
    this.#listener.opened();
  }

  answer(answer: ReadAnswer): void {
    // Whoever was told of an answer before this one in the frame has closed the tunnel.
    if (this.state === "closed") return;
    const { id } = answer;
    const call = this.#slots.get(id);
    if (call === undefined) throw new FrameError(`an answer came to call ${id}, which is not in flight`);
    if (answer.more) {
      if (call !== abandoned) this.#parts.add(id, answer.message);
      return;
    }
    if (!this.#parts.isEmpty) this.#finish(answer);
    if (call === abandoned) {
      if (this.#cancelsUnsent) this.#sender.flush();
      this.#slots.remove(id);
      return;
    }
    this.#slots.remove(id);
    call.tunnelId = -1;
    if (answer.status === undefined) call.answered(answer);
    else call.failed(failureOf(answer.status, answer.trailer));
  }

  #finish(answer: ReadAnswer): void {
    const whole = this.#parts.finish(answer.id, answer.message);
    if (whole === undefined) return;
    answer.message = whole;
    answer.large = true;
  }

  draining(): void {
    if (this.state === "closed" || this.state === "draining") return;
    this.state = "draining";
    this.#listener.draining();
  }

  #endIfDone(): void {
    if (this.#slots.count > 0 || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#sender.flush();
    this.#stream.end();
  }

  drained(): void {
    this.#sender.isBlocked = false;
  }

  ended(): void {
    // The status tells why; it comes next.
  }

  closed(error: ConnectError | undefined): void {
    this.#over(error ?? (this.#hasEnded ? undefined : rpcError(Code.Unavailable, "the server has ended the tunnel")));
  }

  #over(error: ConnectError | undefined): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.#sender.stop();
    const calls = this.#slots.clear();
    const unsent = new Set(this.#unsent);
    this.#unsent.length = 0;
    for (const call of calls.values()) {
      if (call === abandoned) continue;
      call.tunnelId = -1;
      call.failed(lost(unsent.has(call), error));
    }
    this.#listener.closed(error);
  }
}

/** Stands for calls that nobody waits for any more, until the server has answered them. */
const abandoned: TunnelCall = {
  path: "",
  message: new Uint8Array(),
  timeoutMs: 0,
  metadata: undefined,
  attempt: 0,
  criticality: 0,
  trace0: 0,
  trace1: 0,
  trace2: 0,
  trace3: 0,
  span0: 0,
  span1: 0,
  traceFlags: -1,
  tunnelId: -1,
  answered() {},
  failed() {},
};

function lost(unsent: boolean, cause: ConnectError | undefined): ConnectError {
  const why = cause === undefined ? "it was closed here" : cause.rawMessage;
  return unsent
    ? rpcError(Code.Unavailable, `the tunnel broke before the call had left: ${why}`, {
        reason: notRunReason,
        domain: "weft",
        cause,
      })
    : rpcError(Code.Unavailable, `the tunnel broke before the answer came: ${why}`, {
        reason: mayHaveRunReason,
        domain: "weft",
        cause,
      });
}

/** A failure, with its server's word on whether to try again. */
function failureOf(status: Uint8Array, trailer: Entries | undefined): ConnectError {
  const error = decodeError(status);
  const pushback = entryOf(trailer, pushbackTrailer);
  if (pushback !== undefined) error.metadata.set(pushbackTrailer, pushback);
  return error;
}
