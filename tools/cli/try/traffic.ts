import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { EchoService } from "@weft/mesh/gen/weft/echo/v1/echo_pb.js";

/** What became of a call. */
export interface TrackedCall {
  /** Its method may run twice. */
  readonly idempotent: boolean;
  /** Monotonic. */
  readonly startedAtMs: number;
  readonly tookMs: number;
  /** Who answered; undefined if it failed. */
  readonly replica: string | undefined;
  /** "UNAVAILABLE" and so on; undefined if it was answered. */
  readonly code: string | undefined;
}

/** Calls to the echo service that come at a steady rate, whatever becomes of those before. */
export interface Traffic extends AsyncDisposable {
  readonly inFlight: number;
  /** Since the start. */
  readonly totals: { readonly calls: number; readonly failedIdempotent: number; readonly failedOnce: number };
  /** Those that have ended, of the last minute, in the order of their ends. */
  readonly calls: readonly TrackedCall[];
  /** Resolves when all that have begun by now have ended. */
  settled(): Promise<void>;
}

export interface TrafficOptions {
  readonly transport: Transport;
  readonly callsPerSecond: number;
}

const tickMs = 5;
const keptMs = 60_000;
/** More than that in flight, and calls are left out: the rate is too high for what answers. */
const inFlightMax = 2_000;
/** Above half of what the contract gives: shorter ones would say nothing of their endpoint. */
const onceTimeoutMs = 3_000;

/** Starts calls, every other one to a method that may run twice. */
export function startTraffic({ transport, callsPerSecond }: TrafficOptions): Traffic {
  const client = createClient(EchoService, transport);
  const calls: TrackedCall[] = [];
  const underWay = new Set<Promise<void>>();
  const totals = { calls: 0, failedIdempotent: 0, failedOnce: 0 };
  const startedAtMs = performance.now();
  let begun = 0;

  const begin = async (idempotent: boolean): Promise<void> => {
    const atMs = performance.now();
    let replica: string | undefined;
    let code: string | undefined;
    try {
      const answer = idempotent ? client.echoAgain({}) : client.echo({}, { timeoutMs: onceTimeoutMs });
      replica = (await answer).text;
    } catch (error) {
      code = Code[ConnectError.from(error).code] ?? "Unknown";
    }
    totals.calls += 1;
    if (code !== undefined) totals[idempotent ? "failedIdempotent" : "failedOnce"] += 1;
    calls.push({ idempotent, startedAtMs: atMs, tookMs: performance.now() - atMs, replica, code });
  };
  const tick = (): void => {
    const due = Math.floor(((performance.now() - startedAtMs) * callsPerSecond) / 1000);
    while (begun < due) {
      begun += 1;
      if (underWay.size >= inFlightMax) continue;
      const call = begin(begun % 2 === 0);
      underWay.add(call);
      void call.finally(() => underWay.delete(call));
    }
    const oldMs = performance.now() - keptMs;
    const kept = calls.findIndex((call) => call.startedAtMs >= oldMs);
    if (kept > 1_000) calls.splice(0, kept);
  };
  const timer = setInterval(tick, tickMs);
  const settled = async (): Promise<void> => void (await Promise.allSettled([...underWay]));
  return {
    get inFlight() {
      return underWay.size;
    },
    totals,
    calls,
    settled,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await settled();
    },
  };
}
