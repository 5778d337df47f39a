import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { endUserHeader, parseEndUser } from "../context/end-user-header.ts";
import { formatTraceparent } from "../context/trace-ids.ts";
import { criticalities } from "../contract/criticality.ts";
import { rpcError } from "../contract/errors.ts";
import { type Entries, entryOf } from "../tunnel/entries.ts";
import type { ReceivedCall, ServedCall, ServerTunnel } from "../tunnel/server-tunnel.ts";
import { type Input, UnaryCall } from "./incoming-call.ts";
import { decodeRequest, encodeAnswer } from "./message-codec.ts";
import type { ServedRoute } from "./served-route.ts";

/** What the calls of one tunnel have in common. */
export interface TunnelLink {
  /** SPIFFE id of whoever is at the other end. */
  readonly peer: string;
  readonly tunnel: ServerTunnel;
  /** Runs a call. */
  run(call: UnaryCall): void;
}

/** A unary call over a tunnel. */
export class TunnelUnaryCall extends UnaryCall implements ServedCall {
  tunnelId: number;
  readonly #link: TunnelLink;
  readonly #message: Uint8Array;
  readonly #metadata: Entries | undefined;

  constructor(served: ServedRoute, received: ReceivedCall, arrivedMs: number, link: TunnelLink) {
    const { timeoutMs } = received;
    const deadlineMs = timeoutMs > 0 ? arrivedMs + timeoutMs : Number.POSITIVE_INFINITY;
    super(served, arrivedMs, received.receivedAtMs, deadlineMs, link.peer);
    this.tunnelId = received.id;
    this.#link = link;
    this.#message = received.message;
    this.#metadata = received.metadata;
    if (received.metadata !== undefined) this.endUser = parseEndUser(this.header(endUserHeader));
    if (received.attempt > 1) this.attempt = received.attempt;
    // Numbered in the contract's order, from 1 on; 0 and what a later release may have are nothing.
    if (received.criticality !== 0) this.criticality = criticalities[received.criticality - 1];
    if (received.traceFlags >= 0) this.adoptTrace(received);
  }
  start(): void {
    this.#link.run(this);
  }
  cancelled(): void {
    this.cancel(callerHasLeft);
  }
  header(name: string): string | null {
    return this.#metadata === undefined ? null : (entryOf(this.#metadata, name) ?? null);
  }
  get headers(): Headers {
    const headers = toHeaders(this.#metadata);
    if (this.traceFlags >= 0) headers.set("traceparent", formatTraceparent(this));
    return headers;
  }
  read(): Input {
    return decodeRequest(this.served, this.#message);
  }
  answer(output: Message): void {
    const bytes = encodeAnswer(this.served, output);
    const { handlerContext } = this;
    const [header, trailer] = [handlerContext?.sentHeader, handlerContext?.sentTrailer];
    this.#link.tunnel.answer(this, bytes, header && toEntries(header), trailer && toEntries(trailer));
  }
  fail(error: ConnectError): void {
    this.#link.tunnel.fail(this, error, toEntries(error.metadata));
  }
}

/** One for all: an error of its own for each of a storm of cancelled calls would cost more than the calls. */
const callerHasLeft = rpcError(Code.Canceled, "the caller cancelled the call");

function toHeaders(entries: Entries | undefined): Headers {
  const headers = new Headers();
  if (entries === undefined) return headers;
  for (let index = 0; index < entries.length; index += 2)
    headers.append(entries[index] ?? "", entries[index + 1] ?? "");
  return headers;
}

function toEntries(headers: Headers): Entries | undefined {
  const entries: string[] = [];
  for (const [name, value] of headers) entries.push(name, value);
  return entries.length > 0 ? entries : undefined;
}
