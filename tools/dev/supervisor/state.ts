import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writeWhole } from "../processes/files.ts";
import { identify, type ProcessIdentity } from "../processes/identity.ts";
import type { StackSettings } from "./settings.ts";

/** What a supervisor writes about itself, for those who come after it. */
export interface SupervisorState {
  readonly process: ProcessIdentity;
  /** Where it takes orders: on 127.0.0.1, with this token. */
  readonly port: number;
  readonly token: string;
  readonly settings: StackSettings;
}

/** The files in which a stack's folder tells who runs it. */
export function stateFiles(directory: string) {
  const supervisor = join(directory, "supervisor.json");
  const children = join(directory, "children.json");
  return {
    readSupervisor: () => read<SupervisorState>(supervisor),
    // It holds the token.
    writeSupervisor: (state: SupervisorState) => writeWhole(supervisor, JSON.stringify(state), 0o600),
    /** Processes that may have outlived their supervisor, where the system does not end them with it. */
    readChildren: async () => (await read<ProcessIdentity[]>(children)) ?? [],
    writeChildren(pids: readonly number[]): Promise<void> {
      const identities = pids.map(identify).filter((identity) => identity !== undefined);
      return writeWhole(children, JSON.stringify(identities));
    },
    /** The address book goes too: nobody is there any more. */
    async remove(): Promise<void> {
      await Promise.all([supervisor, children, join(directory, "stack.json")].map((file) => rm(file, { force: true })));
    },
  };
}

/** Undefined also for what cannot be read as JSON: a file that a full disk cut short must not stop `make up` for ever. */
async function read<T>(file: string): Promise<T | undefined> {
  const text = await readIfThere(file);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}
