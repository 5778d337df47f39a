import type { ConnectError } from "@connectrpc/connect";
import type { TunnelStream, TunnelStreamListener } from "./tunnel-stream.ts";

/** One end of a pair in memory. Frames arrive in later microtasks, in order. */
export interface MemoryEnd extends TunnelStream {
  /** Frames that came here. */
  readonly received: Buffer[];
  readonly isPaused: boolean;
  /** What this side has ended with; "cut" or undefined while it has not. */
  readonly endedWith: ConnectError | "ok" | "cut" | undefined;
}

/** Creates both ends of a tunnel's stream. @param framesMax so many unread ones block a writer */
export function createStreamPair(framesMax = 16): { client: MemoryEnd; server: MemoryEnd } {
  const client = new End(framesMax, false);
  const server = new End(framesMax, true);
  client.peer = server;
  server.peer = client;
  return { client, server };
}

class End implements MemoryEnd {
  peer: End | undefined;
  isPaused = false;
  endedWith: MemoryEnd["endedWith"];
  readonly received: Buffer[] = [];
  readonly #framesMax: number;
  /** As with a gRPC call, the server's end is the end of both sides. */
  readonly #isServer: boolean;
  #queue: Buffer[] = [];
  #listener: TunnelStreamListener | undefined;
  #isDelivering = false;
  #isBlocked = false;
  #hasEnded = false;
  #isOver = false;

  constructor(framesMax: number, isServer: boolean) {
    this.#framesMax = framesMax;
    this.#isServer = isServer;
  }

  get #other(): End {
    if (this.peer === undefined) throw new Error("half a pair");
    return this.peer;
  }

  get waitingFrames(): number {
    return this.#other.#queue.length;
  }

  write(frame: Buffer): boolean {
    if (this.endedWith !== undefined) throw new Error("written after the end");
    const peer = this.#other;
    if (peer.#isOver) return true;
    // Copied, as a wire does: whoever writes to a frame that has left is found out.
    peer.#queue.push(Buffer.from(frame));
    peer.#deliver();
    this.#isBlocked = peer.#queue.length >= this.#framesMax;
    return !this.#isBlocked;
  }

  end(error?: ConnectError): void {
    if (this.endedWith !== undefined) return;
    this.endedWith = error ?? "ok";
    this.#other.#deliver();
  }

  cut(): void {
    if (this.endedWith === undefined) this.endedWith = "cut";
    this.#close(undefined);
    this.#other.#close(undefined);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#deliver();
  }

  listen(listener: TunnelStreamListener): void {
    this.#listener = listener;
    this.#deliver();
  }

  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    queueMicrotask(() => {
      this.#isDelivering = false;
      if (this.#listener === undefined || this.isPaused || this.#isOver) return;
      const frame = this.#queue.shift();
      if (frame === undefined) {
        this.#finish(this.#listener);
        return;
      }
      this.received.push(frame);
      this.#listener.frame(frame);
      if (this.#queue.length === 0) this.#other.#drained();
      this.#deliver();
    });
  }

  #finish(listener: TunnelStreamListener): void {
    const ended = this.#other.endedWith;
    if (ended === undefined) return;
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      listener.ended();
    }
    if (ended !== "ok" && ended !== "cut") this.#close(ended);
    else if (!this.#isServer || this.endedWith !== undefined) this.#close(undefined);
    if (this.#isOver) this.#other.#close(undefined);
  }

  #drained(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#listener?.drained();
  }

  #close(error: ConnectError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue = [];
    queueMicrotask(() => this.#listener?.closed(error));
  }
}
