import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sample } from "./samples.ts";
import type { EventShape } from "./shape.ts";

/** Where the records are: a file for each type of event, and what consumers need. */
export const recordFolder = "proto/events";

/** One shape that a type of event has had, with samples of what was stored then. */
export interface EventVersion {
  readonly version: number;
  readonly shape: EventShape;
  readonly samples: Readonly<Record<string, Sample>>;
}

/** All that a type of event has ever been. Versions are added, never replaced. */
export interface EventRecord {
  /** Full name of the message. */
  readonly type: string;
  /** Where it is defined: "proto/shop/order/v1/events.proto". */
  readonly file: string;
  readonly versions: readonly EventVersion[];
}

/** "proto/events/shop.order.v1.OrderPlaced.json" */
export function recordPath(type: string): string {
  return `${recordFolder}/${type}.json`;
}

/** All records, by type. */
export async function readRecords(root: string): Promise<Map<string, EventRecord>> {
  const files = await readdir(join(root, recordFolder)).catch(() => []);
  const records = new Map<string, EventRecord>();
  for (const file of files.filter((name) => /^\w+(\.\w+)+\.json$/.test(name) && name !== "consumers.json").sort()) {
    const record = JSON.parse(await readFile(join(root, recordFolder, file), "utf8")) as EventRecord;
    if (`${record.type}.json` !== file) throw new Error(`${recordFolder}/${file}: is the record of ${record.type}`);
    records.set(record.type, record);
  }
  return records;
}

export async function writeRecord(root: string, record: EventRecord): Promise<void> {
  await mkdir(join(root, recordFolder), { recursive: true });
  await writeFile(join(root, recordPath(record.type)), `${JSON.stringify(record, null, 2)}\n`);
}
