import { createHash } from "node:crypto";
import { clone, type DescField, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "./errors.ts";

/** The metadata entry that carries a key; over HTTP the header of draft-ietf-httpapi-idempotency-key-header. */
export const idempotencyKeyHeader = "idempotency-key";

/** The name that callers know it by, in errors. */
const headerName = "Idempotency-Key";
const keyLengthMax = 100;
const quoted = /^"([!#-[\]-~]*)"$/;
const visible = new RegExp(`^[!-~]{1,${keyLengthMax}}$`);

/**
 * The key in the header's value; undefined if there is none. The draft puts it in double quotes, most clients do not: both are the same key.
 *
 * @throws ConnectError INVALID_ARGUMENT naming the header unless it is 1 to 100 visible ASCII characters
 */
export function parseIdempotencyKey(value: string | null): string | undefined {
  if (value === null) return undefined;
  const key = quoted.exec(value)?.[1] ?? value;
  if (visible.test(key)) return key;
  throw badKey(headerName, `must be 1 to ${keyLengthMax} visible ASCII characters`);
}

/** The error of a call whose header says another key than the field of its request that is the key. */
export function keysDiffer(field: string): ConnectError {
  return badKey(headerName, `must be the same as ${field}, or be left out`);
}

function badKey(field: string, description: string): ConnectError {
  return rpcError(Code.InvalidArgument, `${field} ${description}`, {
    reason: "IDEMPOTENCY_KEY_INVALID",
    domain: "weft",
    violations: [{ field, description }],
  });
}

/** The error of a key that stands for another request. @param field where the key was: the header if nothing is said */
export function idempotencyKeyReused(field: string = headerName): ConnectError {
  return rpcError(
    Code.AlreadyExists,
    `${field} was used for another request: choose a new one for each thing you want`,
    {
      reason: "IDEMPOTENCY_KEY_REUSED",
      domain: "weft",
      violations: [{ field, description: "stands for another request of yours" }],
    },
  );
}

/**
 * SHA-256 of a request, in hex: equal for equal requests. Its deterministic encoding without unknown fields, and without the fields that are
 * left out: of a password a hash would be a way to guess it.
 *
 * @param leftOut names of fields of the request itself
 */
export function requestHash<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc>,
  leftOut: readonly string[] = [],
): string {
  const hashed = leftOut.length === 0 ? request : clone(schema, request);
  for (const field of schema.fields) {
    if (leftOut.includes(field.name)) reflect(schema, hashed).clear(field);
  }
  return createHash("sha256")
    .update(toBinary(schema, hashed, { writeUnknownFields: false }))
    .digest("hex");
}

/** Paths of a request's fields that must not be seen ("profile.phone"), those of messages in it included. */
export function redactedFields(schema: DescMessage): string[] {
  return redactedIn(schema, new Set());
}

function redactedIn(schema: DescMessage, within: ReadonlySet<DescMessage>): string[] {
  if (within.has(schema)) return [];
  const here = new Set([...within, schema]);
  return schema.fields.flatMap((field) => {
    if (isRedacted(field)) return [field.name];
    return field.message === undefined ? [] : redactedIn(field.message, here).map((name) => `${field.name}.${name}`);
  });
}

function isRedacted({ proto }: DescField): boolean {
  return proto.options?.debugRedact === true;
}
