import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type EventRecord, recordFolder, recordPath } from "./records.ts";
import { type EventShape, splitFieldText } from "./shape.ts";

/** What each consumer cannot do without: service -> type of event -> fields, "lines.sku" for one inside. */
export type Needs = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const needsFile = `${recordFolder}/consumers.json`;
const handler = /\bon(?:Repeatable)?Event\(\s*(\w+)Schema\b/g;

export async function readNeeds(root: string): Promise<Needs> {
  return JSON.parse(await readFile(join(root, needsFile), "utf8")) as Needs;
}

/** Which events each service handles, as its source says: "order" -> "shop.payment.v1.PaymentFailed" -> the file. */
export async function findConsumers(root: string): Promise<Map<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>();
  for await (const path of glob("services/*/*.ts", { cwd: root, exclude: ["**/*.test.ts"] })) {
    const source = await readFile(join(root, path), "utf8");
    const service = path.split("/")[1] ?? "";
    for (const type of handledIn(source)) {
      found.set(service, (found.get(service) ?? new Map<string, string>()).set(type, path));
    }
  }
  return found;
}

/** Full names of the events that a file has handlers for. */
function handledIn(source: string): string[] {
  const imported = new Map<string, string>();
  for (const [, names = "", folder = ""] of source.matchAll(
    /import \{([^}]*)\} from "[./]*\/gen\/([\w/]+)\/events_pb\.ts"/g,
  )) {
    for (const [, name = ""] of names.matchAll(/\b(\w+)Schema\b/g))
      imported.set(name, `${folder.replaceAll("/", ".")}.${name}`);
  }
  // onEvents() takes a list that may lie anywhere in the file: all that it knows.
  const names = /\bonEvents\(/.test(source)
    ? imported.keys()
    : [...source.matchAll(handler)].map(([, name = ""]) => name);
  return [...names].flatMap((name) => imported.get(name) ?? []);
}

/** Fields that a consumer needs and that events do not carry, or have not always carried; and consumers that do not say what they need. */
export function consumerProblems(
  needs: Needs,
  consumers: ReadonlyMap<string, ReadonlyMap<string, string>>,
  records: ReadonlyMap<string, EventRecord>,
  shapes: ReadonlyMap<string, EventShape>,
): string[] {
  const problems: string[] = [];
  for (const [service, types] of consumers) {
    for (const [type, path] of types) {
      if (needs[service]?.[type] !== undefined) continue;
      problems.push(`${path}: consumes ${type}; say in ${needsFile} which of its fields ${service} needs`);
    }
  }
  for (const [service, types] of Object.entries(needs)) {
    for (const [type, fields] of Object.entries(types)) {
      const path = consumers.get(service)?.get(type);
      if (path === undefined) problems.push(`${needsFile}: ${service} does not consume ${type} any more; take it out`);
      else
        problems.push(
          ...fields.flatMap((field) =>
            needProblems({ service, path, type, field }, records.get(type), shapes.get(type)),
          ),
        );
    }
  }
  return problems;
}

interface Need {
  readonly service: string;
  readonly path: string;
  readonly type: string;
  readonly field: string;
}

function needProblems(
  { service, path, type, field }: Need,
  record: EventRecord | undefined,
  now: EventShape | undefined,
): string[] {
  if (now === undefined || !hasPath(now, type, field)) {
    return [
      `${path}: ${service} needs ${field} of ${type}, which is gone; put it back, or teach ${service} to do without`,
    ];
  }
  const without =
    record?.versions.filter(({ shape }) => !hasPath(shape, type, field)).map(({ version }) => version) ?? [];
  if (without.length === 0) return [];
  return [
    `${path}: ${service} needs ${field} of ${type}, which stored events of version ${without.join(", ")} do not have (${recordPath(type)}); teach ${service} to do without, and take it out of ${needsFile}`,
  ];
}

function hasPath(shape: EventShape, type: string, path: string): boolean {
  const [first, ...rest] = path.split(".");
  const text = Object.values(shape.messages[type] ?? {}).find((field) => splitFieldText(field).name === first);
  if (text === undefined) return false;
  const inner = splitFieldText(text).type.replace(/^(repeated|optional) /, "");
  return rest.length === 0 || hasPath(shape, inner, rest.join("."));
}
