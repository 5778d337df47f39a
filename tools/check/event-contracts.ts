import { isDeepStrictEqual } from "node:util";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { buildImage, ownProtoFolders } from "./buf.ts";
import { type Findings, runCheck } from "./check.ts";
import { recordProblems } from "./events/compare.ts";
import { consumerProblems, findConsumers, readNeeds } from "./events/consumers.ts";
import { type EventRecord, readRecords } from "./events/records.ts";
import { type EventShape, findEvents, shapeOf } from "./events/shape.ts";

/** Events as the contracts have them, and as they were recorded. */
export interface EventContracts {
  readonly registry: FileRegistry;
  readonly records: ReadonlyMap<string, EventRecord>;
  /** Of the events of now, by type. */
  readonly shapes: ReadonlyMap<string, EventShape>;
}

export async function readEventContracts(root: string): Promise<EventContracts> {
  const folders = await ownProtoFolders(root);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await buildImage(root)));
  const own = [...registry.files].filter((file) => folders.includes(file.name.split("/")[0] ?? ""));
  const shapes = new Map(findEvents(own).map((event) => [event.typeName, shapeOf(event)]));
  return { registry, records: await readRecords(root), shapes };
}

/** Changes to events that would leave stored ones unreadable. */
export function compatibilityProblems({ registry, records }: EventContracts): string[] {
  return [...records.values()].flatMap((record) => recordProblems(record, registry.getMessage(record.type), registry));
}

/** Types whose present shape is in no record. */
export function unrecorded({ records, shapes }: EventContracts): string[] {
  return [...shapes].flatMap(([type, shape]) => {
    const last = records.get(type)?.versions.at(-1)?.shape;
    return isDeepStrictEqual(last, JSON.parse(JSON.stringify(shape))) ? [] : [type];
  });
}

/** Finds changes to events that break one that is stored, or a consumer. */
export async function checkEventContracts(root: string): Promise<Findings> {
  const contracts = await readEventContracts(root);
  const { records, shapes } = contracts;
  const problems = [
    ...compatibilityProblems(contracts),
    ...consumerProblems(await readNeeds(root), await findConsumers(root), records, shapes),
  ];
  if (records.size === 0) problems.push("proto/events: holds no record, so nothing was checked");
  const versions = [...records.values()].reduce((sum, record) => sum + record.versions.length, 0);
  const fresh = unrecorded(contracts);
  const later = fresh.length === 0 ? "" : `; not recorded yet, until make events-record: ${fresh.join(", ")}`;
  return { problems, seen: `${records.size} events in ${versions} versions${later}` };
}

if (import.meta.main) await runCheck("event-contracts", checkEventContracts);
