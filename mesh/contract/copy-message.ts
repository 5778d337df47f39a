import {
  clone,
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  isMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";

/**
 * Makes a message that shares nothing with what it is made of: a message, or what one can be created from.
 *
 * @throws Error naming the field whose value no wire could carry
 */
export type CopyMessage = (init: Message) => Message;

type Copy = Record<string, unknown>;
type CopyValue = (value: unknown) => unknown;

/**
 * Creates what copies messages of one type. clone() of protobuf-es looks each field up through reflection; here what a type's fields need is
 * found once, and the message itself is copied by the engine in one go.
 */
export function createMessageCopier(desc: DescMessage): CopyMessage {
  return copierOf(desc, new Map());
}

function copierOf(desc: DescMessage, known: Map<DescMessage, CopyMessage>): CopyMessage {
  const found = known.get(desc);
  if (found !== undefined) return found;
  const members: ((copy: Copy) => void)[] = [];
  const copyMessage: CopyMessage = (init) => {
    // Of what is no message yet, create() makes the message, whose parts are still the maker's.
    const copy = isMessage(init, desc) ? { ...init } : create(desc, init);
    for (const member of members) member(copy as unknown as Copy);
    if (copy.$unknown !== undefined) copy.$unknown = [...copy.$unknown];
    return copy;
  };
  // Fields with defaults of their own (proto2) have them on a prototype, which is lost on the way above.
  const plain = Object.getPrototypeOf(create(desc)) === Object.prototype;
  const copier: CopyMessage = plain ? copyMessage : (init) => clone(desc, create(desc, init));
  known.set(desc, copier);
  for (const member of desc.members) {
    members.push(member.kind === "oneof" ? oneofCopier(member, known) : fieldCopier(member, known));
  }
  return copier;
}

function fieldCopier(field: DescField, known: Map<DescMessage, CopyMessage>): (copy: Copy) => void {
  const name = field.localName;
  const copyValue = valueCopier(field, known);
  if (field.fieldKind === "list") {
    return (copy) => {
      copy[name] = Array.from(copy[name] as unknown[], copyValue);
    };
  }
  if (field.fieldKind === "map") {
    return (copy) => {
      const entries = Object.entries(copy[name] as object);
      copy[name] = Object.fromEntries(entries.map(([key, value]) => [key, copyValue(value)]));
    };
  }
  return (copy) => {
    const value = copy[name];
    if (value === undefined) return;
    const copied = copyValue(value);
    if (copied !== value) copy[name] = copied;
  };
}

function oneofCopier(oneof: DescOneof, known: Map<DescMessage, CopyMessage>): (copy: Copy) => void {
  const name = oneof.localName;
  const cases = new Map(oneof.fields.map((field) => [field.localName, valueCopier(field, known)]));
  return (copy) => {
    const { case: chosen, value } = copy[name] as { case: string | undefined; value?: unknown };
    const copyValue = chosen === undefined ? undefined : cases.get(chosen);
    copy[name] = copyValue ? { case: chosen, value: copyValue(value) } : { case: undefined };
  };
}

/** Copies one value of a field: an item, where it has many. */
function valueCopier(field: DescField, known: Map<DescMessage, CopyMessage>): CopyValue {
  const { message, scalar } = field;
  if (scalar === ScalarType.BYTES) {
    return (value) => (value instanceof Uint8Array ? value.slice() : refuse(field, value));
  }
  if (scalar !== undefined || message === undefined) {
    const fits = fitting(scalar ?? ScalarType.INT32);
    return (value) => (fits(value) ? value : refuse(field, value));
  }
  // Created at the first use, since a type can contain itself.
  let copier: CopyMessage | undefined;
  return (value) => {
    // A Struct is plain JSON here, a wrapper its value.
    if (typeof value !== "object" || value === null) return value;
    if (!isMessage(value, message)) return structuredClone(value);
    copier ??= copierOf(message, known);
    return copier(value);
  };
}

function fitting(scalar: ScalarType): (value: unknown) => boolean {
  switch (scalar) {
    case ScalarType.STRING:
      return (value) => typeof value === "string";
    case ScalarType.BOOL:
      return (value) => typeof value === "boolean";
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return (value) => typeof value === "number";
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return (value) => typeof value === "number" && value >>> 0 === value;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return (value) => typeof value === "number" && (value | 0) === value;
    default:
      return (value) => typeof value === "bigint" || typeof value === "string" || typeof value === "number";
  }
}

function refuse(field: DescField, value: unknown): never {
  throw new Error(`${field} cannot be ${typeof value}`);
}
