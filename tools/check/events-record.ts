import { resolve } from "node:path";
import { repositoryRoot } from "./check.ts";
import { compatibilityProblems, readEventContracts, unrecorded } from "./event-contracts.ts";
import { recordPath, writeRecord } from "./events/records.ts";
import { makeSamples } from "./events/samples.ts";

/**
 * Records what events are now, beside what they were: a version for each event whose shape is new. Nothing that was recorded is ever
 * replaced. Answers with the files written.
 *
 * @throws Error if an event has changed in a way that breaks stored ones
 */
export async function recordEvents(root: string): Promise<string[]> {
  const contracts = await readEventContracts(root);
  const problems = compatibilityProblems(contracts);
  if (problems.length > 0) throw new Error(`${problems.join("\n")}\nnothing was recorded`);
  const types = unrecorded(contracts);
  for (const type of types) {
    const shape = contracts.shapes.get(type);
    const event = contracts.registry.getMessage(type);
    if (shape === undefined || event === undefined) continue;
    const versions = contracts.records.get(type)?.versions ?? [];
    const next = { version: versions.length + 1, shape, samples: makeSamples(event, shape.published?.key) };
    await writeRecord(root, { type, file: `proto/${event.file.name}.proto`, versions: [...versions, next] });
  }
  return types.map(recordPath);
}

if (import.meta.main) {
  try {
    const files = await recordEvents(resolve(process.argv[2] ?? repositoryRoot));
    for (const file of files) console.log(`${file}: has a new version`);
    if (files.length === 0) console.log("every event is recorded as it is now");
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
