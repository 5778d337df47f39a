import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { type DescMessage, type DescMethod, fromJsonString, type Registry, toBinary } from "@bufbuild/protobuf";
import { usageFailure } from "../failure.ts";
import { didYouMean } from "../nearest.ts";
import type { Io } from "../output.ts";

/**
 * The requests of a call, encoded.
 *
 * One message for a method that takes one; for a client stream one JSON message a line, read while the call runs.
 *
 * @param data as typed after -d: JSON, "@file", or "-" for standard input; without it an empty message, and standard
 * input for a client stream
 */
export function readRequests(
  io: Io,
  method: DescMethod,
  data: string | undefined,
  registry: Registry,
): AsyncIterable<Uint8Array> {
  return method.proto.clientStreaming
    ? encodeLines(io, method.input, data ?? "-", registry)
    : encodeOne(io, method.input, data ?? "{}", registry);
}

async function* encodeOne(io: Io, schema: DescMessage, data: string, registry: Registry): AsyncGenerator<Uint8Array> {
  let text = "";
  for await (const chunk of open(io, data)) text += chunk;
  yield encode(schema, text, registry);
}

async function* encodeLines(io: Io, schema: DescMessage, data: string, registry: Registry): AsyncGenerator<Uint8Array> {
  for await (const line of createInterface({
    input: Readable.from(open(io, data)),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (line.trim() !== "") yield encode(schema, line, registry);
  }
}

async function* open(io: Io, data: string): AsyncGenerator<string> {
  if (data === "-") {
    const decoder = new TextDecoder();
    for await (const chunk of io.stdin)
      yield typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    return;
  }
  yield data.startsWith("@") ? await readDataFile(resolve(io.workingDirectory, data.slice(1))) : data;
}

async function readDataFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw usageFailure(`cannot read ${file}`, (error as Error).message, error);
  }
}

/** @throws usage failure that names the field that does not fit */
export function encode(schema: DescMessage, text: string, registry: Registry): Uint8Array {
  try {
    return toBinary(schema, fromJsonString(schema, text, { registry }));
  } catch (error) {
    const reason = (error as Error).message;
    const names = schema.fields.map((field) => field.jsonName);
    const unknown = /key "(.*)" is unknown/.exec(reason)?.[1];
    const hint = unknown === undefined ? undefined : (didYouMean(unknown, names) ?? `its fields: ${names.join(", ")}`);
    throw usageFailure(`the data is no ${schema.typeName}: ${reason}`, hint, error);
  }
}
