import type { Code, ConnectError } from "@connectrpc/connect";
import { deadlineExceeded } from "../context/call-context.ts";
import type { Clock, Random } from "../contract/clock.ts";
import { cancellation, rpcError } from "../contract/errors.ts";
import type { InjectedFault } from "../overrides/edge-overrides.ts";
import type { Attempt } from "./attempt.ts";
import type { EdgeSettings } from "./edge-settings.ts";
import type { Connector, StreamRequest } from "./endpoint.ts";

export interface FaultyConnectorOptions {
  /** Where an operator says what is to go wrong. */
  readonly edge: Pick<EdgeSettings, "faults">;
  readonly clock: Clock;
  readonly random: Random;
}

/** setTimeout takes no more. */
const timerMaxMs = 2 ** 31 - 1;

/** Lets calls go wrong on their way to an instance, as an operator wants it. Without faults it costs a comparison. */
export function createFaultyConnector(connector: Connector, options: FaultyConnectorOptions): Connector {
  const { edge, clock, random } = options;
  const draw = (faults: readonly InjectedFault[], path: string): InjectedFault | undefined =>
    faults.find(({ method, percentage }) => (method === undefined || method === path) && random() * 100 < percentage);

  return {
    unary(attempt) {
      const fault = edge.faults && draw(edge.faults, attempt.path);
      if (fault === undefined) connector.unary(attempt);
      else sendFaulty(fault, attempt, connector);
    },
    async stream(method, inputs, request) {
      const fault = edge.faults && draw(edge.faults, `${method.parent.typeName}/${method.name}`);
      if (fault !== undefined) await holdStream(fault, request, clock);
      return await connector.stream(method, inputs, request);
    },
    isWell: (timeoutMs) => connector.isWell(timeoutMs),
    close: () => connector.close(),
  };
}

/** An attempt that goes wrong. Its deadline is its own: whoever does nothing lets it run out. */
function sendFaulty({ kind }: InjectedFault, attempt: Attempt, connector: Connector): void {
  if (kind.case === "abort") attempt.failed(injected(kind.code));
  if (kind.case !== "delay") return;
  const timer = setTimeout(() => {
    attempt.sent = undefined;
    if (!attempt.over) connector.unary(attempt);
  }, kind.delayMs);
  attempt.sent = { cancel: () => clearTimeout(timer) };
}

/** Returns when the stream may go on. @throws ConnectError */
async function holdStream({ kind }: InjectedFault, request: StreamRequest, clock: Clock): Promise<void> {
  if (kind.case === "abort") throw injected(kind.code);
  const { signal } = request;
  const leftMs = Math.max(0, request.deadlineMs - clock.now());
  const isLate = kind.case === "blackhole" || kind.delayMs >= leftMs;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onTime = (): void => (isLate ? reject(deadlineExceeded()) : resolve());
  const timer = setTimeout(onTime, Math.min(isLate ? leftMs : kind.delayMs, timerMaxMs));
  const onAbort = (): void => reject(signal && cancellation(signal));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal?.aborted) onAbort();
    await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function injected(code: Code): ConnectError {
  return rpcError(code, "this failure was injected by an operator", { reason: "FAULT_INJECTED", domain: "weft" });
}
