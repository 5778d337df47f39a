import { inflateRawSync } from "node:zlib";

/** The signature at the start of the end of the central directory. */
const endSignature = Buffer.from("PK\x05\x06", "latin1");
const methods = { stored: 0, deflated: 8 } as const;

/**
 * Reads one file of a ZIP archive: stored or deflated, below 4 GB, without encryption (PKWARE's APPNOTE 6.3, 4.3).
 *
 * @throws Error if the archive does not hold it
 */
export function readZipEntry(archive: Buffer, name: string): Buffer {
  const end = archive.lastIndexOf(endSignature);
  if (end === -1) throw new Error("not a ZIP archive");
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString("utf8", at + 46, at + 46 + nameLength) === name) return contentOf(archive, at);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`the ZIP archive holds no ${name}`);
}

/** @param entry where the file's record in the central directory starts */
function contentOf(archive: Buffer, entry: number): Buffer {
  const method = archive.readUInt16LE(entry + 10);
  const local = archive.readUInt32LE(entry + 42);
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const content = archive.subarray(start, start + archive.readUInt32LE(entry + 20));
  if (method === methods.stored) return content;
  if (method === methods.deflated) return inflateRawSync(content);
  throw new Error(`the ZIP archive is compressed in a way that is not known here (${method})`);
}
