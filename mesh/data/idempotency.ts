import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { currentCall } from "../context/call-context.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { idempotencyKeyReused, redactedFields, requestHash } from "../contract/idempotency-key.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createIdempotencyStore, type StoredAnswer } from "./idempotency-store.ts";
import type { Database, Transaction } from "./queryable.ts";
import { createTurns } from "./turns.ts";
import { resolveCommit } from "./unknown-commit.ts";

export interface IdempotencyOptions {
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly clock?: Clock;
  /** How long keys are kept at least; a day by default. */
  readonly retentionMs?: number;
}

/** Runs fn in a transaction, as `Database.transaction` does; of several with the same key only the first does, and all get its result. */
export type Transact<T> = (name: string, fn: (tx: Transaction) => Promise<T>) => Promise<T>;

/** How a method's calls are remembered. */
export interface KeyedMethod<I extends DescMessage, O extends DescMessage, T> {
  /** What is stored of a result: the method's answer. */
  readonly toAnswer: (result: T) => MessageInitShape<O>;
  readonly fromAnswer: (answer: MessageShape<O>) => T;
  /**
   * Paths of fields that the contract redacts and that may be in the hash of the request all the same, since the service keeps them in clear
   * itself. The others are left out of it: of a password a hash would be a way to guess it.
   */
  readonly inClear?: readonly string[];
  /** Whether a request that is equal but for what is left out is the same as the one that had this result. Outside of any transaction. */
  readonly matches?: (request: MessageShape<I>, result: T) => Promise<boolean>;
}

/** Remembers what callers have asked for under a key, and how it was answered, in the transaction of the effect. */
export interface Idempotency extends AsyncDisposable {
  /**
   * What runs the transaction of a call of this method by the ambient call's key; undefined if it has none. The first takes the key, has its
   * effect and leaves its answer, all in one COMMIT; others with the key wait for it and get the same; one that fails leaves nothing. If the
   * reply to COMMIT is lost, the same is done again, which finds out. ALREADY_EXISTS (IDEMPOTENCY_KEY_REUSED) if the key stands for another
   * request.
   *
   * @throws Error at once if a redacted field is neither in clear nor compared by `matches`
   */
  method<I extends DescMessage, O extends DescMessage, T>(
    method: DescMethodUnary<I, O>,
    how: KeyedMethod<I, O, T>,
  ): (request: MessageShape<I>) => Transact<T> | undefined;
  /** Removes what is older than retentionMs. Done at the start and once a minute by itself. */
  purge(): Promise<void>;
}

const dayMs = 86_400_000;
const purgeIntervalMs = 60_000;
/** Rows of one DELETE. */
const purgeCountMax = 1_000;

/** Creates the memory of keys in the table of `idempotencyMigrations`, and keeps it from growing until it is disposed of. */
export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const { database, telemetry, clock = systemClock, retentionMs = dayMs } = options;
  const store = createIdempotencyStore(database, clock.now);
  const turns = createTurns();
  const calls = telemetry.meter.createCounter("weft.idempotency.calls", {
    description: "Calls with an idempotency key: first, repeated, or with a key that stands for another request",
  });

  const purge = async () => {
    const before = new Date(clock.now() - retentionMs);
    while ((await store.purge(before, purgeCountMax)) === purgeCountMax);
  };
  const stopPurging = every(purgeIntervalMs, () =>
    purge().catch((error) => telemetry.logger.warn("cannot remove old idempotency keys", { error })),
  );

  return {
    method(desc, how) {
      const { parent, input, output } = desc;
      const method = `${parent.typeName}/${desc.name}`;
      const leftOut = fieldsLeftOut(input, how);
      type Result = ReturnType<typeof how.fromAnswer>;
      return (request) => {
        const call = currentCall();
        if (call?.idempotencyKey === undefined) return undefined;
        const use = { caller: call.endUser?.userId ?? "", method, key: call.idempotencyKey };
        const hash = requestHash(input, request, leftOut);

        const runOrFind = (name: string, fn: (tx: Transaction) => Promise<Result>) =>
          database.transaction(name, async (tx): Promise<Outcome<Result>> => {
            if (!(await store.take(tx, use, hash))) return { stored: await store.findTaken(tx, use) };
            const result = await fn(tx);
            await store.saveAnswer(tx, use, toBinary(output, create(output, how.toAnswer(result))));
            return { stored: undefined, result };
          });
        const repeated = async (stored: StoredAnswer): Promise<Result> => {
          const result = how.fromAnswer(fromBinary(output, stored.answer));
          const same = stored.requestHash === hash && ((await how.matches?.(request, result)) ?? true);
          calls.add(1, { "rpc.method": method, outcome: same ? "repeated" : "reused" });
          if (!same) throw idempotencyKeyReused();
          return result;
        };
        return (name, fn) =>
          turns(JSON.stringify(use), async (waited) => {
            const before = waited ? await store.find(use) : undefined;
            if (before !== undefined) return await repeated(before);
            const outcome = await resolveCommit(() => runOrFind(name, fn));
            if (outcome.stored !== undefined) return await repeated(outcome.stored);
            calls.add(1, { "rpc.method": method, outcome: "first" });
            return outcome.result;
          });
      };
    },
    purge,
    [Symbol.asyncDispose]: stopPurging,
  };
}

/** What a transaction with a key has done: its work, or nothing since there is an answer. */
type Outcome<T> = { readonly stored: StoredAnswer } | { readonly stored: undefined; readonly result: T };

/** Names of the fields of a request that are not hashed. @throws Error if nobody would compare them */
function fieldsLeftOut(
  input: DescMessage,
  { inClear = [], matches }: { readonly inClear?: readonly string[]; readonly matches?: unknown },
): string[] {
  const redacted = redactedFields(input);
  const strange = inClear.filter((path) => !redacted.includes(path));
  if (strange.length > 0) throw new Error(`${input.typeName}: ${strange.join(", ")} is no redacted field`);
  const leftOut = redacted.filter((path) => !inClear.includes(path));
  const unseen = matches === undefined ? leftOut : leftOut.filter((path) => path.includes("."));
  if (unseen.length > 0) {
    throw new Error(
      `${input.typeName}: ${unseen.join(", ")} is redacted: name it in inClear, or compare it in matches`,
    );
  }
  return leftOut;
}

/** Runs work now and again, one at a time; returns how to stop, which waits for the one under way. */
function every(intervalMs: number, work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  const run = () => {
    running ??= work().finally(() => {
      running = undefined;
    });
  };
  run();
  const timer = setInterval(run, intervalMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
