import { status } from "@grpc/grpc-js";
import { loadAddressBook } from "../address-book.ts";
import { connect } from "../connect.ts";
import { CliFailure, callFailure, exitCodes, unreachableFailure } from "../failure.ts";
import type { CommonOptions } from "../options.ts";
import type { Io } from "../output.ts";
import { decodeStatus } from "../status.ts";
import type { Channel } from "../wire/channel.ts";
import { isServiceError } from "../wire/service-error.ts";

/** What came of asking several services. */
export interface Answers<T> {
  /** By service. Those that do not offer what was asked for are not in it. */
  readonly answers: ReadonlyMap<string, T>;
  /** To be called once what there is has been printed. @throws CliFailure naming those who could not be reached, if there are any */
  failIfUnreachable(): void;
}

/** Asks one service, or all that are in the address book, at once. */
export async function askServices<T>(
  io: Io,
  service: string | undefined,
  options: CommonOptions,
  ask: (channel: Channel, service: string) => Promise<T>,
): Promise<Answers<T>> {
  const book = await loadAddressBook(options.stack, io.workingDirectory);
  const names = service === undefined ? [...book.services.keys()] : [service];
  const problems: string[] = [];
  const answers = new Map<string, T>();
  const asked = names.map(async (name) => {
    try {
      using channel = await connect(io, name, options);
      return { name, answer: await ask(channel, name) };
    } catch (error) {
      // Of all services, some have nothing of the kind, and one that is away does not keep the others from answering.
      if (service !== undefined) throw error;
      if (isServiceError(error) && error.code === status.UNIMPLEMENTED) return undefined;
      if (!(error instanceof CliFailure) || error.exitCode !== exitCodes.unreachable) throw error;
      problems.push(error.message);
      return undefined;
    }
  });
  for (const one of await Promise.all(asked)) if (one !== undefined) answers.set(one.name, one.answer);
  return {
    answers,
    failIfUnreachable() {
      if (problems.length > 0)
        throw unreachableFailure(problems.join("\n      "), "is the stack up? `make up` starts it");
    },
  };
}

/** Runs fn; a call that fails for one of these reasons, or with UNIMPLEMENTED, is reported with what to do. */
export async function withHints<T>(hints: Readonly<Record<string, string>>, fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const decoded = decodeStatus(error);
    const reason = decoded.details.map(({ value }) => value?.reason).find((found) => typeof found === "string");
    const hint = hints[typeof reason === "string" ? reason : decoded.code];
    if (hint === undefined) throw callFailure(decoded, error);
    throw new CliFailure(exitCodes.callFailed, decoded.message, { status: decoded, hint, cause: error });
  }
}
