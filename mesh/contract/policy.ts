import {
  type DescField,
  type DescFile,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  Criticality as CriticalityOption,
  KeySource,
  type MethodPolicySchema,
  method as methodOption,
  type RetryPolicy as RetryOption,
  service as serviceOption,
} from "../gen/weft/v1/options_pb.ts";
import type { Criticality } from "./criticality.ts";
import { eventProblems } from "./event-policy.ts";

/** Deadline of a unary method whose contract names none: vendored services such as health and reflection. */
const defaultTimeoutMs = 10_000;
/** The longest deadline that a contract may ask for on a unary method. */
const timeoutMaxMs = 5 * 60_000;
const retryAttemptsMax = 5;

/** How a method behaves, read once from its descriptor. Immutable. */
export interface MethodPolicy {
  /** "package.Service/Method". */
  readonly path: string;
  readonly kind: DescMethod["methodKind"];
  /** Longest a call may take, retries included. Infinity for a streaming method that names none. */
  readonly timeoutMs: number;
  /** It may run twice: idempotency_level is NO_SIDE_EFFECTS or IDEMPOTENT. */
  readonly idempotent: boolean;
  readonly retry: RetryPolicy | undefined;
  /** A slow call is sent to another endpoint, too. */
  readonly hedging: boolean;
  /** Scopes that the end user's token must carry, all of them. */
  readonly requiredScopes: readonly string[];
  /** What a caller does without an answer is declared: see withFallback(). Undefined if it must fail. */
  readonly fallback: string | undefined;
  /** Where a call carries its idempotency key; undefined if the contract does not say. */
  readonly idempotencyKey: KeyRule | undefined;
  /** Of a call that is the first of its chain, and of those made to answer it. Undefined if the contract does not say: "default". */
  readonly criticality: Criticality | undefined;
}

/** Where an idempotency key is: in the metadata, in a field of the request, or nowhere. */
export type KeyRule =
  | { readonly source: "metadata" }
  | { readonly source: "field"; readonly field: DescField }
  | { readonly source: "none" };

/** Retries with exponential backoff and full jitter. */
export interface RetryPolicy {
  /** The first attempt included. */
  readonly maxAttempts: number;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Limit of one attempt; Infinity if only the call's deadline limits it. */
  readonly attemptTimeoutMs: number;
}

/** A contract that makes no sense. Each problem names file, element and reason. */
export class ContractError extends Error {
  override name = "ContractError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the contract makes no sense:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Reads the policies of a service's methods. @throws ContractError */
export function readPolicies(service: DescService): ReadonlyMap<DescMethod, MethodPolicy> {
  const problems = serviceProblems(service);
  if (problems.length > 0) throw new ContractError(problems);
  return new Map(service.methods.map((method) => [method, readPolicy(method)]));
}

/** What is wrong with the options in a file; empty if nothing is. */
export function contractProblems(file: DescFile): string[] {
  return [...file.services.flatMap(serviceProblems), ...file.messages.flatMap(eventProblems)];
}

function readPolicy(method: DescMethod): MethodPolicy {
  const option = methodPolicyOf(method);
  const serviceTimeout = hasOption(method.parent, serviceOption)
    ? getOption(method.parent, serviceOption).defaultTimeout
    : undefined;
  const unary = method.methodKind === "unary";
  const timeout = option?.timeout ?? (unary ? serviceTimeout : undefined);
  return Object.freeze({
    path: `${method.parent.typeName}/${method.name}`,
    kind: method.methodKind,
    timeoutMs: timeout ? toMs(timeout) : unary ? defaultTimeoutMs : Number.POSITIVE_INFINITY,
    idempotent: isIdempotent(method),
    retry: option?.retry && readRetry(option.retry),
    hedging: option?.hedging ?? false,
    requiredScopes: Object.freeze([...(option?.requiredScopes ?? [])]),
    fallback: option?.fallback || undefined,
    idempotencyKey: option && readKeyRule(method, option),
    criticality: option && criticalityOf.get(option.criticality),
  });
}

const criticalityOf: ReadonlyMap<CriticalityOption, Criticality | undefined> = new Map([
  [CriticalityOption.UNSPECIFIED, undefined],
  [CriticalityOption.CRITICAL, "critical"],
  [CriticalityOption.DEFAULT, "default"],
  [CriticalityOption.SHEDDABLE, "sheddable"],
]);

function readKeyRule(method: DescMethod, option: MethodOption): KeyRule | undefined {
  switch (option.idempotencyKey) {
    case KeySource.METADATA:
      return { source: "metadata" };
    case KeySource.NONE:
      return { source: "none" };
    case KeySource.FIELD: {
      const field = keyField(method, option);
      return field && { source: "field", field };
    }
    default:
      return undefined;
  }
}

function keyField({ input }: DescMethod, option: MethodOption): DescField | undefined {
  return input.fields.find(
    ({ name, fieldKind, scalar }) =>
      name === option.idempotencyKeyField && fieldKind === "scalar" && scalar === ScalarType.STRING,
  );
}

function readRetry(option: RetryOption): RetryPolicy {
  return Object.freeze({
    maxAttempts: option.maxAttempts,
    initialBackoffMs: toMs(option.initialBackoff),
    maxBackoffMs: toMs(option.maxBackoff),
    attemptTimeoutMs: option.attemptTimeout ? toMs(option.attemptTimeout) : Number.POSITIVE_INFINITY,
  });
}

function serviceProblems(service: DescService): string[] {
  const problems: string[] = [];
  if (hasOption(service, serviceOption)) {
    const { defaultTimeout } = getOption(service, serviceOption);
    if (defaultTimeout && !isTimeout(defaultTimeout)) {
      problems.push(`${where(service)}: default_timeout must be above 0 and at most 5 minutes`);
    }
  }
  return problems.concat(service.methods.flatMap(methodProblems));
}

function methodProblems(method: DescMethod): string[] {
  const option = methodPolicyOf(method);
  if (option === undefined) return [];
  const problems: string[] = [];
  if (option.timeout && !isTimeout(option.timeout)) {
    problems.push("timeout must be above 0 and at most 5 minutes");
  }
  if (option.requiredScopes.some((scope) => !/^[a-z][a-z0-9:._-]*$/.test(scope))) {
    problems.push("required_scopes must be lower-case words such as customer or catalog:write");
  }
  if (option.fallback !== "" && !/^[a-z][a-z0-9-]{0,39}$/.test(option.fallback)) {
    problems.push("fallback must be a short lower-case name such as stock or static-list");
  }
  if (!criticalityOf.has(option.criticality)) {
    problems.push("criticality must be CRITICALITY_CRITICAL, CRITICALITY_DEFAULT or CRITICALITY_SHEDDABLE");
  }
  if (option.retry) problems.push(...retryProblems(method, option.retry));
  if (option.hedging) problems.push(...repeatProblems(method, "hedging"));
  problems.push(...keyProblems(method, option));
  return problems.map((problem) => `${where(method.parent)}.${method.name}: ${problem}`);
}

function retryProblems(method: DescMethod, retry: RetryOption): string[] {
  const problems = repeatProblems(method, "retry");
  if (retry.maxAttempts < 2 || retry.maxAttempts > retryAttemptsMax) {
    problems.push(`retry.max_attempts must be 2 to ${retryAttemptsMax}, the first attempt included`);
  }
  const [initial, max] = [toMs(retry.initialBackoff), toMs(retry.maxBackoff)];
  if (!(initial > 0)) problems.push("retry.initial_backoff must be above 0");
  if (!(max >= initial)) problems.push("retry.max_backoff must be at least initial_backoff");
  if (retry.attemptTimeout && !(toMs(retry.attemptTimeout) > 0)) {
    problems.push("retry.attempt_timeout must be above 0");
  }
  return problems;
}

function repeatProblems(method: DescMethod, option: "retry" | "hedging"): string[] {
  const problems: string[] = [];
  if (!isIdempotent(method)) {
    problems.push(`${option} needs idempotency_level NO_SIDE_EFFECTS or IDEMPOTENT: a repeated call could act twice`);
  }
  if (method.methodKind !== "unary") problems.push(`${option} is for unary methods only`);
  return problems;
}

function keyProblems(method: DescMethod, option: MethodOption): string[] {
  const { idempotencyKey: source, idempotencyKeyField: field } = option;
  if (source !== KeySource.FIELD) return field === "" ? [] : ["idempotency_key_field needs KEY_SOURCE_FIELD"];
  return keyField(method, option) ? [] : ["idempotency_key_field must name a string field of the request"];
}

/**
 * What strangers may call and does not say how a lost answer is asked for again. Without side effects there is nothing to say: it may just be
 * called again.
 */
export function keyRuleMissing(methods: Iterable<DescMethod>): string[] {
  return [...methods]
    .filter((method) => method.idempotency !== IdempotencyLevel.NO_SIDE_EFFECTS)
    .filter((method) => (methodPolicyOf(method)?.idempotencyKey ?? KeySource.UNSPECIFIED) === KeySource.UNSPECIFIED)
    .map(
      (method) =>
        `${where(method.parent)}.${method.name}: a public method with side effects must say its idempotency_key`,
    );
}

type MethodOption = MessageShape<typeof MethodPolicySchema>;

function methodPolicyOf(method: DescMethod): MethodOption | undefined {
  return hasOption(method, methodOption) ? getOption(method, methodOption) : undefined;
}

function isIdempotent(method: DescMethod): boolean {
  return method.idempotency === IdempotencyLevel.NO_SIDE_EFFECTS || method.idempotency === IdempotencyLevel.IDEMPOTENT;
}

function isTimeout(duration: Duration): boolean {
  const ms = toMs(duration);
  return ms > 0 && ms <= timeoutMaxMs;
}

function toMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

function where(service: DescService): string {
  return `${service.file.name}.proto: ${service.typeName}`;
}
