import { randomUUID } from "node:crypto";
import { hash, type Options, verify } from "@node-rs/argon2";
import { currentSignal } from "@weft/mesh/context";
import type { Telemetry } from "@weft/mesh/telemetry";
import { BulkheadRejectedError, bulkhead } from "cockatiel";
import { tooManyPasswords } from "./domain.ts";
import type { Passwords } from "./usecases.ts";

/** OWASP's second choice for Argon2id: 19 MiB, two passes, one lane; some 25 ms of one core. */
const argon2id: Options = { algorithm: 2, memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 };
/** At once: each takes a thread of libuv's four and 19 MiB. */
const hashesAtOnceMax = 2;
/** Waiting: what two can do in about a second and a half. */
const queueLengthMaxDefault = 100;
const retryDelayMs = 1_000;

/** Argon2id off the event loop, a few at a time. Its queue is the gauge `user.password.queue.length`. */
export async function createPasswords(
  { meter }: Pick<Telemetry, "meter">,
  queueLengthMax = queueLengthMaxDefault,
): Promise<Passwords> {
  const limit = bulkhead(hashesAtOnceMax, queueLengthMax);
  meter
    .createObservableGauge("user.password.queue.length", { description: "Passwords that wait to be hashed or checked" })
    .addCallback((gauge) => gauge.observe(queueLengthMax - limit.queueSlots));
  // What the password of an account that does not exist is compared with: the same work as for one that does.
  const decoy = await hash(randomUUID(), argon2id);

  async function limited<T>(work: () => Promise<T>): Promise<T> {
    const signal = currentSignal();
    try {
      // A caller who has left while waiting costs nothing more.
      return await limit.execute(work, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof BulkheadRejectedError ? tooManyPasswords(retryDelayMs) : error;
    }
  }

  return {
    hash: (password) => limited(() => hash(password, argon2id)),
    async verify(hashed, password) {
      const isRight = await limited(() => verify(hashed ?? decoy, password));
      return hashed !== undefined && isRight;
    },
  };
}
