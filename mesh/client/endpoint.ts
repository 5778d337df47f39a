import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { EndUser } from "../context/call-context.ts";

/** What Headers can be made from; undefined for none. */
export type HeadersInput = ConstructorParameters<typeof Headers>[0];

/** One attempt of a call, ready to leave. */
export interface Attempt {
  /** Request metadata as the caller gave it. */
  readonly headers: HeadersInput;
  /** The trace context, as headers. */
  readonly trace: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch; Infinity if there is none. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly endUser: EndUser | undefined;
}

export interface UnaryAnswer<O extends DescMessage> {
  readonly message: MessageShape<O>;
  readonly header: Headers;
  readonly trailer: Headers;
}

export interface StreamAnswer<O extends DescMessage> {
  readonly header: Headers;
  /** Filled when the messages have ended. */
  readonly trailer: Headers;
  readonly message: AsyncIterable<MessageShape<O>>;
}

/** One way to one instance of a service: a gRPC channel, or a call within the process. Fails with ConnectError only. */
export interface Endpoint {
  /** "127.0.0.1:7140", or "in-process". */
  readonly address: string;
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    input: MessageShape<I>,
    attempt: Attempt,
  ): Promise<UnaryAnswer<O>>;
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    inputs: AsyncIterable<MessageShape<I>>,
    attempt: Attempt,
  ): Promise<StreamAnswer<O>>;
  close(): void;
}
