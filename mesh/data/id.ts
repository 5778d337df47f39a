import { hash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import type { Clock, Random } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";

/** Users and orders hash to this many buckets. Part of every id, so it never changes. */
export const bucketCount = 1_024;

/** Crockford's base32: no I, L, O, U. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const idPattern = /^[a-z]+_([0-9A-HJKMNP-TV-Z]{2})[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/**
 * Makes an id: `ord_` + the bucket in two characters + a ULID, so "ord_7Z01KAMX...", 32 characters. Ids of one bucket sort by
 * the time they were made, and the bucket, hence the shard, is known from the id alone.
 */
export function newId(
  prefix: string,
  bucket: number,
  source: { readonly clock: Clock; readonly random: Random },
): string {
  if (!/^[a-z]+$/.test(prefix)) throw new Error(`"${prefix}" is no prefix for ids: lower-case letters only`);
  if (!Number.isInteger(bucket) || bucket < 0 || bucket >= bucketCount) {
    throw new Error(`${bucket} is no bucket: 0 to ${bucketCount - 1}`);
  }
  return `${prefix}_${encode(bucket, 2)}${newUlid(source)}`;
}

/** Makes a ULID (github.com/ulid/spec): 48 bits of milliseconds, 80 random bits, 26 characters. */
export function newUlid(source: { readonly clock: Clock; readonly random: Random }): string {
  let text = encode(Math.max(0, Math.floor(source.clock.now())), 10);
  for (let i = 0; i < 16; i += 1) text += alphabet[Math.floor(source.random() * 32)];
  return text;
}

/** The bucket in an id made by `newId`. @throws ConnectError INVALID_ARGUMENT naming the field if it is none */
export function bucketOf(id: string, field = "id"): number {
  const characters = idPattern.exec(id)?.[1];
  if (characters === undefined) {
    const description = "is not an id that this system has made";
    throw rpcError(Code.InvalidArgument, `${field} ${description}`, { violations: [{ field, description }] });
  }
  return [...characters].reduce((bucket, character) => bucket * 32 + alphabet.indexOf(character), 0);
}

/** The bucket that a text (a new user's e-mail address) hashes to: evenly spread, the same for ever. */
export function bucketFor(text: string): number {
  return hash("sha256", text, "buffer").readUInt16BE(0) % bucketCount;
}

function encode(value: number, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = alphabet[rest % 32] + text;
  return text;
}
