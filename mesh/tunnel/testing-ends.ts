import type { ConnectError } from "@connectrpc/connect";
import type { Clock } from "../contract/clock.ts";
import { openTunnel } from "./client-session.ts";
import type { ClientTunnel, TunnelAnswer, TunnelCall } from "./client-tunnel.ts";
import type { Entries } from "./entries.ts";
import { serveTunnel } from "./server-session.ts";
import type { ReceivedCall, ServedCall, ServerTunnel } from "./server-tunnel.ts";
import { createStreamPair, type MemoryEnd } from "./testing-stream.ts";

export interface CallInit {
  readonly path?: string;
  readonly text?: string;
  readonly message?: Uint8Array;
  readonly timeoutMs?: number;
  readonly metadata?: Entries;
  readonly attempt?: number;
  readonly criticality?: 0 | 1 | 2 | 3;
  readonly trace?: readonly [number, number, number, number, number, number, number];
}

/** A call as a test makes it: its answer can be awaited. */
export class TestCall implements TunnelCall {
  readonly path: string;
  readonly message: Uint8Array;
  readonly timeoutMs: number;
  readonly metadata: Entries | undefined;
  readonly attempt: number;
  readonly criticality: 0 | 1 | 2 | 3;
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  readonly traceFlags: number;
  tunnelId = -1;
  /** How often it was told its end. */
  told = 0;
  readonly answer: Promise<TunnelAnswer & { readonly text: string }>;
  readonly #end = Promise.withResolvers<TunnelAnswer & { readonly text: string }>();

  constructor(init: CallInit = {}) {
    this.path = init.path ?? "test.v1.Echo/Say";
    this.message = init.message ?? Buffer.from(init.text ?? "hello");
    this.timeoutMs = init.timeoutMs ?? 0;
    this.metadata = init.metadata;
    this.attempt = init.attempt ?? 0;
    this.criticality = init.criticality ?? 0;
    const [trace0, trace1, trace2, trace3, span0, span1, flags] = init.trace ?? [0, 0, 0, 0, 0, 0, -1];
    this.trace0 = trace0;
    this.trace1 = trace1;
    this.trace2 = trace2;
    this.trace3 = trace3;
    this.span0 = span0;
    this.span1 = span1;
    this.traceFlags = flags;
    this.answer = this.#end.promise;
    this.answer.catch(() => undefined);
  }

  answered(answer: TunnelAnswer): void {
    this.told += 1;
    const { message, header, trailer, large, receivedAtMs } = answer;
    this.#end.resolve({ message, header, trailer, large, receivedAtMs, text: Buffer.from(message).toString() });
  }

  failed(error: ConnectError): void {
    this.told += 1;
    this.#end.reject(error);
  }
}

/** A call as a test's server has it. */
export class TestServed implements ServedCall {
  tunnelId: number;
  readonly path: string;
  readonly received: ReceivedCall;
  readonly text: string;
  isCancelled = 0;
  readonly #onStart: (call: TestServed) => void;

  constructor(path: string, received: ReceivedCall, onStart: (call: TestServed) => void) {
    this.tunnelId = received.id;
    this.path = path;
    this.received = { ...received, message: Uint8Array.from(received.message) };
    this.text = Buffer.from(received.message).toString();
    this.#onStart = onStart;
  }

  start(): void {
    this.#onStart(this);
  }

  cancelled(): void {
    this.isCancelled += 1;
  }
}

/** A tunnel in memory, and what its ends have been told. */
export interface TestTunnel {
  readonly client: ClientTunnel;
  readonly server: ServerTunnel;
  readonly streams: { readonly client: MemoryEnd; readonly server: MemoryEnd };
  /** "opened", "draining", "closed". */
  readonly told: string[];
  /** What closed the client's end. */
  readonly closedWith: (ConnectError | undefined)[];
  readonly serverClosedWith: (ConnectError | undefined)[];
  /** All calls that the server has started. */
  readonly served: TestServed[];
  send(init?: CallInit): TestCall;
}

export interface TestTunnelOptions {
  /** Runs a call; by default it says back what came. */
  readonly onCall?: (call: TestServed, server: ServerTunnel) => void;
  readonly clock?: Clock;
  readonly framesMax?: number;
}

/** Opens a tunnel in memory; resolves when calls can be sent. */
export async function openTestTunnel(options: TestTunnelOptions = {}): Promise<TestTunnel> {
  const { onCall = (call, server) => server.answer(call, Buffer.from(call.text)), clock } = options;
  const streams = createStreamPair(options.framesMax);
  const served: TestServed[] = [];
  const told: string[] = [];
  const closedWith: (ConnectError | undefined)[] = [];
  const serverClosedWith: (ConnectError | undefined)[] = [];
  const server = serveTunnel<string>(
    streams.server,
    {
      resolve: (path) => (path.startsWith("test.") ? path : undefined),
      accept: (path, received) =>
        new TestServed(path, received, (call) => {
          served.push(call);
          onCall(call, server);
        }),
      closed(error) {
        told.push("server closed");
        serverClosedWith.push(error);
      },
    },
    clock && { clock },
  );
  const opened = Promise.withResolvers<void>();
  const client = openTunnel(
    streams.client,
    {
      opened() {
        told.push("opened");
        opened.resolve();
      },
      draining: () => void told.push("draining"),
      closed(error) {
        told.push("closed");
        closedWith.push(error);
      },
    },
    clock && { clock },
  );
  await opened.promise;
  return {
    client,
    server,
    streams,
    told,
    closedWith,
    serverClosedWith,
    served,
    send(init) {
      const call = new TestCall(init);
      if (!client.send(call)) throw new Error("the tunnel did not take the call");
      return call;
    },
  };
}
