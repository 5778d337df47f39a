/**
 * A place in the mesh that a call passes. The bench counts there: it adds one statement to the module as it is loaded, so that each measured
 * call is counted and the product has no counters that nobody else needs.
 */
export interface StageCounter {
  readonly side: "client" | "server";
  readonly stage: string;
  /** From the root of the repository. */
  readonly module: string;
  /** The text that the statement follows; exactly once in the module. */
  readonly after: string;
  /** What must hold for the call to count. */
  readonly when?: string;
  /** Only a part of the calls passes it: those of one way, or of a recorded trace. */
  readonly partial?: boolean;
}

const pipeline = "mesh/server/pipeline.ts";
const observation = "mesh/server/observe-call.ts";
const [entered, traced] = [
  "  const authorized = (call: IncomingCall): void => {",
  "call: IncomingCall, telemetry: Telemetry",
];

export const stageCounters: readonly StageCounter[] = [
  on("client", "deadline", "mesh/client/attempt.ts", "  send(): void {", "this.deadlineMs < Number.POSITIVE_INFINITY"),
  on("client", "retry budget", "mesh/resilience/retry-budget.ts", "  earn(): void {"),
  on(
    "client",
    "balancer",
    "mesh/client/target.ts",
    "const pick = (method: CalledMethod, nowMs: number, last?: Endpoint): Endpoint => {",
  ),
  on("client", "breaker", "mesh/resilience/breaker.ts", "  ended(error?: unknown, hurried?: boolean): void {"),
  partly(
    "client",
    "way: tunnel",
    "mesh/client/attempt.ts",
    "  answered({ message, header, trailer, large, receivedAtMs }: TunnelAnswer): void {",
  ),
  partly("client", "way: plain gRPC", "mesh/client/grpc-connector.ts", "    unary(attempt) {"),
  on("server", "mutual TLS", pipeline, entered, "call.needsPeer && call.peer !== undefined"),
  on("server", "deadline", pipeline, entered, "call.deadlineMs < Number.POSITIVE_INFINITY"),
  on("server", "authorization", "tools/bench/peers/weft-serve.ts", "callerOnly: Authorize = ({ peer, method }) => {"),
  on("server", "concurrency limit", "mesh/server/adaptive-admission.ts", "  enter(call: AskingCall): boolean {"),
  on("server", "validation", "mesh/server/request-validation.ts", "schema: Desc, message: MessageShape<Desc>): void {"),
  on("server", "trace", observation, `export function beginTrace(${traced}): void {`),
  partly("server", "trace, recorded", observation, `function startSpan(${traced}, links: Link[]): void {`),
];

function on(side: StageCounter["side"], stage: string, module: string, after: string, when?: string): StageCounter {
  return { side, stage, module, after, ...(when !== undefined && { when }) };
}

function partly(side: StageCounter["side"], stage: string, module: string, after: string): StageCounter {
  return { side, stage, module, after, partial: true };
}
