import { FrameError } from "./frame-error.ts";
import type { FrameReader } from "./frame-reader.ts";
import { type FrameWriter, fieldSize } from "./frame-writer.ts";
import { metadataBytesMax } from "./limits.ts";

/** Metadata as names and values in turn: no object for each entry. Binary values are base64. */
export type Entries = readonly string[];

const nameTag = 0x0a;
const valueTag = 0x12;

/**
 * Bytes of metadata as a repeated field with a tag of one byte.
 *
 * @throws RangeError if it is none that gRPC could carry
 */
export function entriesSize(entries: Entries | undefined): number {
  if (entries === undefined) return 0;
  let size = 0;
  let text = 0;
  for (let index = 0; index < entries.length; index += 2) {
    const name = entries[index] ?? "";
    const value = entries[index + 1] ?? "";
    if (!isName(name)) throw new RangeError(`${JSON.stringify(name)} is no name that metadata can have`);
    if (!isValue(value))
      throw new RangeError(`the value of ${name} in the metadata has other characters than visible ASCII`);
    text += name.length + value.length;
    size += fieldSize(fieldSize(name.length) + fieldSize(value.length));
  }
  if (text > metadataBytesMax)
    throw new RangeError(`the metadata has ${text} bytes, above the limit of ${metadataBytesMax}`);
  return size;
}

/** Appends metadata as a repeated field. Its size has been asked for before. */
export function writeEntries(writer: FrameWriter, tag: number, entries: Entries | undefined): void {
  if (entries === undefined) return;
  for (let index = 0; index < entries.length; index += 2) {
    const name = entries[index] ?? "";
    const value = entries[index + 1] ?? "";
    writer.byte(tag);
    writer.varint(fieldSize(name.length) + fieldSize(value.length));
    writer.ascii(nameTag, name);
    writer.ascii(valueTag, value);
  }
}

/** Reads one entry to the end of a list; a new list if there is none. */
export function readEntry(reader: FrameReader, within: number, list: string[] | undefined): string[] {
  const end = reader.end(within);
  let name = "";
  let value = "";
  while (reader.position < end) {
    const tag = reader.tag();
    if (tag === nameTag) name = reader.asciiTo(reader.end(end), "metadata");
    else if (tag === valueTag) value = reader.asciiTo(reader.end(end), "metadata");
    else reader.skip(tag, end, 2);
  }
  reader.closeAt(end);
  if (!isName(name)) throw new FrameError(`${JSON.stringify(name)} is no name that metadata can have`);
  if (list === undefined) return [name, value];
  list.push(name, value);
  return list;
}

/** The first value of that name. */
export function entryOf(entries: Entries | undefined, name: string): string | undefined {
  if (entries === undefined) return undefined;
  for (let index = 0; index < entries.length; index += 2) if (entries[index] === name) return entries[index + 1];
  return undefined;
}

function isName(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    const letter = code >= 0x61 && code <= 0x7a;
    const digit = code >= 0x30 && code <= 0x39;
    if (!letter && !digit && code !== 0x2d && code !== 0x2e && code !== 0x5f) return false;
  }
  return name.length > 0;
}

function isValue(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}
