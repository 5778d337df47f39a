/** Which faults a mutated shop is given until one brings it to light: those that lean on the safety that is turned off. */
export const MUTATION_FAULTS: Readonly<Record<string, readonly string[]>> = {
  "inbox-off": ["duplicate-events"],
  "idempotency-off": ["reply-lost-client", "reply-lost-order"],
  "stock-condition-off": ["latency-mariadb", "overload"],
  "saga-lease-off": ["freeze-order", "latency-mariadb"],
  "compensation-off": ["provider-slow"],
  "money-back-off": ["provider-slow"],
  "outbox-outside": ["reset-mariadb", "commit-reply-lost"],
  "early-ack": ["reset-mariadb", "kill-inventory"],
  "provider-key-random": ["reply-lost-provider", "provider-reply-lost"],
};

/** For a mutation that nobody has thought of faults for. */
export const DEFAULT_MUTATION_FAULTS: readonly string[] = ["kill-order", "commit-reply-lost"];

/** In a run of a few minutes. */
export const SMOKE_MUTATIONS: readonly string[] = ["money-back-off", "idempotency-off"];
