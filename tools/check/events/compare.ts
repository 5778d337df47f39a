import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { type EventRecord, type EventVersion, recordPath } from "./records.ts";
import { sampleProblem } from "./samples.ts";
import { type EventShape, shapeOf, splitFieldText } from "./shape.ts";

/** What has become of a type of event that would leave stored ones unreadable. Empty: all that was ever recorded can be read. */
export function recordProblems(record: EventRecord, event: DescMessage | undefined, registry: Registry): string[] {
  if (event === undefined) {
    return [
      `${record.file}: ${record.type}: is gone, and stored ones are read by their type (${recordPath(record.type)}); put it back, even if nobody writes it any more`,
    ];
  }
  const now = shapeOf(event);
  const problems = new Map<string, string>();
  for (const version of record.versions) {
    for (const [where, what] of shapeProblems(record, version, now)) {
      if (!problems.has(where)) problems.set(where, `${record.file}: ${where}: ${what}`);
    }
  }
  if (problems.size > 0) return [...problems.values()];
  return record.versions.flatMap(({ version, samples }) =>
    Object.entries(samples).flatMap(([name, sample]) => {
      const problem = sampleProblem(event, registry, sample);
      const which = `sample "${name}" of version ${version} in ${recordPath(record.type)}`;
      return problem === undefined ? [] : [`${record.file}: ${record.type}: ${which} ${problem}; keep what it meant`];
    }),
  );
}

type Problem = readonly [where: string, what: string];

function* shapeProblems(record: EventRecord, version: EventVersion, now: EventShape): Iterable<Problem> {
  const { shape } = version;
  yield* publishedProblems(record.type, shape, now);
  for (const [message, fields] of Object.entries(shape.messages)) {
    for (const [number, text] of Object.entries(fields)) {
      const what = fieldProblem(number, text, now.messages[message]);
      if (what === undefined) continue;
      const where = `${message}.${splitFieldText(text).name} (${number})`;
      yield [
        message === record.type ? where : `${where}, in ${record.type}`,
        `${what}, and ${carriers(record, version, message, text)}`,
      ];
    }
  }
  for (const [type, values] of Object.entries(shape.enums)) {
    // An enum that no field is of any more: its field has said so.
    const nowValues = now.enums[type];
    if (nowValues === undefined) continue;
    for (const [number, name] of Object.entries(values)) {
      const is = nowValues[number];
      if (is === name) continue;
      const what = is === undefined ? "is gone" : `is called ${is} now`;
      yield [
        `${type} value ${number}, ${name}`,
        `${what}, and stored events of version ${version.version} of ${record.type} have it; put it back`,
      ];
    }
  }
}

function* publishedProblems(type: string, before: EventShape, now: EventShape): Iterable<Problem> {
  const was = before.published;
  if (was === undefined) return;
  if (now.published === undefined) {
    yield [type, "is not published any more, and consumers wait for it; put its (weft.v1.event) option back"];
    return;
  }
  for (const option of ["subject", "key"] as const) {
    const is = now.published[option];
    if (is === was[option]) continue;
    yield [
      type,
      `its ${option} is "${is}" and was "${was[option]}", by which its consumers and its outbox know it; make a new event beside it`,
    ];
  }
}

function fieldProblem(
  number: string,
  was: string,
  fields: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const is = fields?.[number];
  if (is === was) return undefined;
  if (is !== undefined) return `was "${was}" and is "${is}"`;
  const moved = Object.entries(fields ?? {}).find(([, text]) => splitFieldText(text).name === splitFieldText(was).name);
  return moved === undefined ? `is gone ("${was}")` : `has the number ${moved[0]} now`;
}

function carriers(
  record: EventRecord,
  { version, shape, samples }: EventVersion,
  message: string,
  text: string,
): string {
  const { name } = splitFieldText(text);
  const carrying = Object.entries(samples).filter(([, { json }]) => hasField(shape, record.type, json, message, name));
  const names = carrying.map(([sample]) => `"${sample}"`).join(", ");
  return `stored events of version ${version} carry it (sample ${names || "none"} in ${recordPath(record.type)}); put it back as it was, and add a field for what is new`;
}

/** Whether a sample has a field of a message, anywhere inside. */
function hasField(shape: EventShape, at: string, json: JsonValue, message: string, field: string): boolean {
  if (Array.isArray(json)) return json.some((one) => hasField(shape, at, one, message, field));
  if (typeof json !== "object" || json === null) return false;
  return Object.values(shape.messages[at] ?? {}).some((text) => {
    const { type, name } = splitFieldText(text);
    const value = json[jsonName(name)];
    if (value === undefined) return false;
    if (at === message && name === field) return true;
    const inner = type.replace(/^(repeated|optional) /, "").replace(/^map<\w+, (.+)>$/, "$1");
    const values = type.startsWith("map<") ? Object.values(value as Record<string, JsonValue>) : value;
    return hasField(shape, inner, values, message, field);
  });
}

function jsonName(name: string): string {
  return name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}
