import { Code, type ConnectError } from "@connectrpc/connect";
import { type Clock, systemClock } from "../contract/clock.ts";
import { notRunReason, rpcError } from "../contract/errors.ts";
import { encodeStatus } from "../contract/grpc-status.ts";
import { pushbackTrailer } from "../contract/pushback.ts";
import { Feature } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { AnswerParts } from "./answer-parts.ts";
import { ClientFrameReader, type ClientFrameVisitor, type ClientHelloFields, type ReadCall } from "./client-frame.ts";
import { type Entries, entriesSize } from "./entries.ts";
import { FrameError } from "./frame-error.ts";
import { FrameSender } from "./frame-sender.ts";
import {
  answerBytesMax,
  answerBytesWaitingMax,
  callsMax,
  frameBytesMax,
  methodsMax,
  partBytesMax,
  requestBytesInFlightMax,
  requestBytesMax,
  stallTimeoutMs,
  versionMax,
  versionMin,
} from "./limits.ts";
import { writeAnswer, writeDraining, writeFailure, writeServerHello } from "./server-frame.ts";
import type { ServedCall, ServerTunnel, TunnelHandler } from "./server-tunnel.ts";
import type { TunnelStream, TunnelStreamListener } from "./tunnel-stream.ts";

export interface ServerTunnelOptions {
  readonly clock?: Clock;
}

/** Serves the server's end of a tunnel, on a stream that nothing has been read from. */
export function serveTunnel<Route>(
  stream: TunnelStream,
  handler: TunnelHandler<Route>,
  { clock = systemClock }: ServerTunnelOptions = {},
): ServerTunnel {
  return new ServerSession(stream, handler, clock);
}

class ServerSession<Route> implements ServerTunnel, TunnelStreamListener, ClientFrameVisitor {
  inHand = 0;
  readonly #stream: TunnelStream;
  readonly #handler: TunnelHandler<Route>;
  readonly #clock: Clock;
  readonly #sender: FrameSender;
  readonly #parts: AnswerParts;
  readonly #reader = new ClientFrameReader();
  /** By the numbers that the client gives; null: there is no such method. */
  readonly #routes: (Route | null | undefined)[] = [];
  /** By their ids; and the bytes of their messages. */
  readonly #calls: (ServedCall | undefined)[] = [];
  readonly #bytes: number[] = [];
  #bytesInFlight = 0;
  /** ending: the client has ended its side. */
  #state: "opening" | "open" | "draining" | "ending" | "closed" = "opening";
  /** Largest answer that the client takes. */
  #answerBytesMax = partBytesMax;
  /** Bytes that the stream has taken since it was blocked. */
  #blockedBytes = 0;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(stream: TunnelStream, handler: TunnelHandler<Route>, clock: Clock) {
    this.#stream = stream;
    this.#handler = handler;
    this.#clock = clock;
    this.#sender = new FrameSender(stream, (frameBytes) => {
      if (this.#sender.isBlocked) this.#blocked(frameBytes);
    });
    this.#parts = new AnswerParts(this.#sender, (id) => this.#release(id));
    stream.listen(this);
  }

  answer(call: ServedCall, message: Uint8Array, header?: Entries, trailer?: Entries): void {
    const id = call.tunnelId;
    if (id < 0 || this.#calls[id] !== call) return;
    if (message.length > partBytesMax || this.#blockedBytes > 0) {
      if (this.#answersApart(call, message, header, trailer)) return;
    }
    try {
      writeAnswer(this.#sender.writer, id, message, header, trailer);
    } catch (cause) {
      throw badMetadata(cause);
    }
    this.#release(id);
    call.tunnelId = -1;
    this.#sender.wrote();
  }

  /** Answers that cannot just be written: too large for a frame, for the client, or for what already waits. */
  #answersApart(
    call: ServedCall,
    message: Uint8Array,
    header: Entries | undefined,
    trailer: Entries | undefined,
  ): boolean {
    const { length } = message;
    if (this.#blockedBytes + this.#parts.bytes + length > answerBytesWaitingMax) {
      this.fail(call, unread());
      return true;
    }
    if (length <= partBytesMax) return false;
    if (length > this.#answerBytesMax) {
      this.fail(call, tooLarge(length, this.#answerBytesMax));
      return true;
    }
    try {
      entriesSize(header);
      entriesSize(trailer);
    } catch (cause) {
      throw badMetadata(cause);
    }
    const id = call.tunnelId;
    call.tunnelId = -1;
    this.#calls[id] = leaving;
    this.#parts.add({ id, message, header, trailer });
    return true;
  }

  fail(call: ServedCall, error: ConnectError, trailer: Entries | undefined = pushbackEntries(error)): void {
    const id = call.tunnelId;
    if (id < 0 || this.#calls[id] !== call) return;
    try {
      writeFailure(this.#sender.writer, id, encodeStatus(error), trailer);
    } catch (cause) {
      throw badMetadata(cause);
    }
    this.#release(id);
    call.tunnelId = -1;
    this.#sender.wrote();
  }

  drain(): void {
    if (this.#state === "opening") this.close(goingAway());
    if (this.#state !== "open") return;
    this.#state = "draining";
    writeDraining(this.#sender.writer);
    this.#sender.flush();
  }

  close(error?: ConnectError): void {
    if (this.#state === "closed") return;
    this.#sender.flush();
    this.#stream.end(error);
    this.#over(error);
  }

  frame(frame: Buffer): void {
    if (this.#state === "closed") return;
    try {
      if (frame.length > frameBytesMax) throw new FrameError(`a frame has ${frame.length} bytes`);
      this.#reader.read(frame, this.#clock.monotonic(), this);
      if (this.#state === "opening") throw new FrameError("the first frame has no hello");
    } catch (error) {
      this.close(error instanceof FrameError ? rulesBroken(error) : ownFault(error));
    }
  }

  hello(hello: ClientHelloFields): void {
    if (this.#state === "closed") return;
    if (this.#state !== "opening") throw new FrameError("a second hello came");
    if (hello.versionMin > versionMax || hello.versionMax < versionMin) {
      this.close(otherVersion(hello));
      return;
    }
    this.#state = "open";
    if ((hello.features & Feature.ANSWER_PARTS) !== 0) {
      this.#answerBytesMax = Math.min(hello.answerBytesMax, answerBytesMax);
    }
    writeServerHello(this.#sender.writer, {
      version: Math.min(hello.versionMax, versionMax),
      features: Feature.ANSWER_PARTS,
      callsMax,
      requestBytesMax: requestBytesInFlightMax,
      messageBytesMax: requestBytesMax,
      methodsMax,
    });
    this.#sender.flush();
  }

  method(number: number, path: string): void {
    if (this.#state === "closed") return;
    this.#requireHello();
    if (number >= methodsMax) throw new FrameError(`a method has the number ${number}, above the bound`);
    if (this.#routes[number] !== undefined) throw new FrameError(`the number ${number} is given to a second method`);
    // An array with holes would be slow for all calls.
    while (this.#routes.length < number) this.#routes.push(undefined);
    this.#routes[number] = this.#handler.resolve(path) ?? null;
  }

  call(received: ReadCall): void {
    if (this.#state === "closed") return;
    this.#requireHello();
    const { id, message } = received;
    const { length } = message;
    if (id >= callsMax) throw new FrameError(`a call has the id ${id}, above the bound`);
    if (this.#calls[id] !== undefined) throw new FrameError(`two calls in flight have the id ${id}`);
    if (length > requestBytesMax) throw new FrameError(`a message has ${length} bytes, above the bound`);
    if (this.#bytesInFlight + length > requestBytesInFlightMax) {
      throw new FrameError("the messages of the calls in flight have more bytes than the bound");
    }
    const route = this.#routes[received.method];
    if (route === undefined) throw new FrameError(`a call is of method ${received.method}, which has not been named`);
    if (route === null) this.#refuse(id, unimplemented);
    else if (this.#state === "draining") this.#refuse(id, notRun);
    else this.#start(id, length, this.#handler.accept(route, received));
  }

  #start(id: number, bytes: number, call: ServedCall): void {
    while (this.#calls.length < id) {
      this.#calls.push(undefined);
      this.#bytes.push(0);
    }
    this.#calls[id] = call;
    this.#bytes[id] = bytes;
    this.#bytesInFlight += bytes;
    this.inHand += 1;
    call.start();
  }

  #refuse(id: number, status: Uint8Array): void {
    writeFailure(this.#sender.writer, id, status, undefined);
    this.#sender.wrote();
  }

  cancel(id: number): void {
    if (this.#state === "closed") return;
    this.#requireHello();
    const call = id < this.#calls.length ? this.#calls[id] : undefined;
    // Its answer is on its way, or it never was.
    if (call === undefined || call === leaving) return;
    this.#release(id);
    call.tunnelId = -1;
    this.#refuse(id, cancelled);
    call.cancelled();
  }

  #requireHello(): void {
    if (this.#state === "opening") throw new FrameError("the first frame has no hello");
  }

  #release(id: number): void {
    this.#calls[id] = undefined;
    this.#bytesInFlight -= this.#bytes[id] ?? 0;
    this.inHand -= 1;
    if (this.#state === "ending") this.#endIfDone();
  }

  /** The client reads more slowly than we answer: until it has caught up, nothing more is read of it. */
  #blocked(frameBytes: number): void {
    if (this.#blockedBytes === 0) {
      this.#stream.pause();
      this.#watchStall(this.#stream.waitingFrames);
    }
    this.#blockedBytes += frameBytes;
  }

  #watchStall(waitingFrames: number): void {
    this.#stallTimer = setTimeout(() => {
      const now = this.#stream.waitingFrames;
      if (now < waitingFrames) {
        this.#watchStall(now);
        return;
      }
      this.#stream.cut();
      this.#over(unread());
    }, stallTimeoutMs).unref();
  }

  drained(): void {
    this.#sender.isBlocked = false;
    if (this.#blockedBytes === 0 || this.#state === "closed") return;
    clearTimeout(this.#stallTimer);
    this.#blockedBytes = 0;
    this.#stream.resume();
    this.#parts.resume();
  }

  ended(): void {
    if (this.#state === "closed") return;
    this.#state = "ending";
    this.#endIfDone();
  }

  #endIfDone(): void {
    // The last answer may still be in the making of its frame.
    if (this.inHand === 0) setImmediate(() => this.close());
  }

  closed(error: ConnectError | undefined): void {
    this.#over(error);
  }

  #over(error: ConnectError | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#sender.stop();
    this.#parts.clear();
    clearTimeout(this.#stallTimer);
    this.inHand = 0;
    const calls = this.#calls.splice(0);
    for (const call of calls) {
      if (call === undefined || call === leaving) continue;
      call.tunnelId = -1;
      call.cancelled();
    }
    this.#handler.closed?.(error);
  }
}

/** Stands for calls whose answers leave in parts. */
const leaving: ServedCall = { tunnelId: -1, start() {}, cancelled() {} };

const cancelled = encodeStatus(rpcError(Code.Canceled, "the caller cancelled the call"));
const unimplemented = encodeStatus(rpcError(Code.Unimplemented, "this server has no such unary method"));
const notRun = encodeStatus(goingAway());

function goingAway(): ConnectError {
  return rpcError(Code.Unavailable, "the server is going away, please call again", {
    reason: notRunReason,
    domain: "weft",
  });
}

function unread(): ConnectError {
  return rpcError(Code.ResourceExhausted, "the client does not read its answers", {
    reason: "ANSWERS_UNREAD",
    domain: "weft",
  });
}

function tooLarge(bytes: number, bytesMax: number): ConnectError {
  return rpcError(Code.ResourceExhausted, `the answer has ${bytes} bytes, above the limit of ${bytesMax}`);
}

function otherVersion(hello: ClientHelloFields): ConnectError {
  return rpcError(
    Code.FailedPrecondition,
    `the client speaks versions ${hello.versionMin} to ${hello.versionMax} of the tunnel, this server ${versionMin} to ${versionMax}`,
    { reason: "TUNNEL_VERSION", domain: "weft" },
  );
}

function rulesBroken({ message }: FrameError): ConnectError {
  return rpcError(Code.InvalidArgument, `the client broke the rules of the tunnel: ${message}`, {
    reason: "TUNNEL_RULES_BROKEN",
    domain: "weft",
  });
}

/** A peer that finds such a fault must not end the process with it. Whoever handles the tunnel's calls is told the cause. */
function ownFault(cause: unknown): ConnectError {
  return rpcError(Code.Internal, "internal error", { cause });
}

function badMetadata(cause: unknown): ConnectError {
  return rpcError(Code.Internal, `the answer's metadata: ${cause instanceof Error ? cause.message : cause}`, { cause });
}

function pushbackEntries(error: ConnectError): Entries | undefined {
  const pushback = error.metadata.get(pushbackTrailer);
  return pushback === null ? undefined : [pushbackTrailer, pushback];
}
