export { type Clock, type Random, systemClock } from "./clock.ts";
export type { Discovery, Instance, OnInstances, Registry, Resolver } from "./discovery.ts";
export { errorReason, meaningOf, type RpcErrorInfo, retryDelayMs, rpcError, toDuration } from "./errors.ts";
export type { EventOperations, ReplayProgress } from "./event-operations.ts";
export { idempotencyKeyReused, requestHash } from "./idempotency-key.ts";
export type { OnOverride, OverrideSource } from "./override-source.ts";
export { ContractError, contractProblems, type MethodPolicy, type RetryPolicy, readPolicies } from "./policy.ts";
export {
  type Address,
  type Env,
  formatAddress,
  parseAddress,
  readAddress,
  readInteger,
  readList,
  readString,
  readUrl,
  SettingError,
} from "./settings.ts";
