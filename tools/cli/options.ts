import { type Command, InvalidArgumentError, Option } from "commander";
import type { OutputFormat } from "./output.ts";

/** The options that every command has. */
export interface CommonOptions {
  output: OutputFormat;
  addr?: string;
  certs?: string;
  stack?: string;
  verbose?: boolean;
}

/** Gives a command the options that all have, in one spelling. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(new Option("-o, --output <format>", "output format").choices(["text", "json"]).default("text"))
    .addOption(new Option("--json", "short for -o json").implies({ output: "json" }))
    .option("--addr <host:port>", "reach the service at this gRPC address, not at the stack's", parseAddress)
    .option("--certs <dir>", "folder with ca.pem, cert.pem and key.pem of the operator (default: the stack's)")
    .option("--stack <dir>", "folder of the stack, with its stack.json (default: the nearest .weft)")
    .option("--verbose", "show response headers, and stacks of unexpected errors");
}

function parseAddress(value: string): string {
  if (!/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/.test(value)) throw new InvalidArgumentError('Write "host:port".');
  return value;
}

/** A whole number from 1 to max. */
export function parseCount(max: number): (value: string) => number {
  return (value) => {
    const count = Number(value);
    if (!/^\d+$/.test(value) || count < 1 || count > max) {
      throw new InvalidArgumentError(`Write a whole number from 1 to ${max}.`);
    }
    return count;
  };
}

/** "500ms", "3s", "2m" in milliseconds. */
export function parseTimeoutMs(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value);
  const timeoutMs = Number(match?.[1]) * ({ ms: 1, s: 1_000, m: 60_000 }[match?.[2] ?? ""] ?? Number.NaN);
  if (!(timeoutMs > 0)) throw new InvalidArgumentError('Write a number with its unit: "500ms", "3s", "2m".');
  return timeoutMs;
}

/** "name: value" as gRPC metadata; given several times, several headers. */
export function parseHeader(
  value: string,
  before: readonly (readonly [string, string])[] = [],
): readonly (readonly [string, string])[] {
  const match = /^([0-9A-Za-z_.-]+):\s*(.*)$/.exec(value);
  if (match?.[1] === undefined || match[2] === undefined) throw new InvalidArgumentError('Write "name: value".');
  if (!/^[\x20-\x7e]*$/.test(match[2])) throw new InvalidArgumentError("A header's value is ASCII.");
  return [...before, [match[1].toLowerCase(), match[2]]];
}
