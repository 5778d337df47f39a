import { Code, ConnectError } from "@connectrpc/connect";
import { type Order, OrderState } from "../../../../gen/shop/api/v1/order_pb.ts";

/** How well what one sees follows what is. */
export type Connection = "live" | "reconnecting" | "ended";

export interface WatchDeps {
  /** Opens the stream; its first answer is the present. */
  readonly open: (signal: AbortSignal) => AsyncIterable<{ readonly order?: Order | undefined }>;
  /** Resolves after so long, or sooner when the network has come back. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
  readonly onOrder: (order: Order) => void;
  readonly onConnection: (connection: Connection) => void;
}

const pauseMinMs = 500;
const pauseMaxMs = 15_000;

/** These do not get better by asking again. */
const hopeless: ReadonlySet<Code> = new Set([Code.NotFound, Code.Unauthenticated, Code.PermissionDenied]);

export function isFinal(state: OrderState): boolean {
  return state === OrderState.CANCELLED || state === OrderState.DELIVERED;
}

/**
 * Follows an order until nothing more can happen to it or the signal ends it. A broken stream is opened again, after pauses that
 * grow (full jitter). Rejects when the order cannot be watched at all.
 */
export async function watchOrder(deps: WatchDeps, signal: AbortSignal): Promise<void> {
  const { open, pause, random, onOrder, onConnection } = deps;
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const { order } of open(signal)) {
        failures = 0;
        onConnection("live");
        if (order === undefined) continue;
        onOrder(order);
        if (isFinal(order.state)) return onConnection("ended");
      }
    } catch (error) {
      if (signal.aborted) return;
      if (hopeless.has(ConnectError.from(error).code)) throw error;
    }
    if (signal.aborted) return;
    onConnection("reconnecting");
    const limitMs = Math.min(pauseMaxMs, pauseMinMs * 2 ** failures);
    failures += 1;
    await pause(limitMs / 2 + (random() * limitMs) / 2, signal);
  }
}
