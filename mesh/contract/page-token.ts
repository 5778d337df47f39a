import { Code } from "@connectrpc/connect";
import { rpcError } from "./errors.ts";

/** Longest token that is looked at, in characters. */
const tokenLengthMax = 2_048;

/**
 * Makes the token of a list's next page (AIP-158): which list it belongs to, filters and order included, and the sort values of the
 * last row returned ("after"). Opaque by agreement, not by force: whoever reads it must treat the values as input.
 */
export function encodePageToken(list: string, after: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...after])).toString("base64url");
}

/** Reads a token back. @throws ConnectError INVALID_ARGUMENT naming the field if it is garbage or another list's */
export function decodePageToken(list: string, token: string, field = "page_token"): string[] {
  const [of, ...after] = parse(token) ?? [];
  if (of === list) return after;
  const description =
    of === undefined ? "is not a token that a list has returned" : "belongs to another list or filter";
  throw rpcError(Code.InvalidArgument, `${field} ${description}`, {
    reason: "PAGE_TOKEN_INVALID",
    domain: "weft",
    violations: [{ field, description }],
  });
}

function parse(token: string): string[] | undefined {
  if (token.length > tokenLengthMax) return undefined;
  try {
    const bytes = Buffer.from(token, "base64url");
    // The decoder skips what it does not know.
    if (bytes.toString("base64url") !== token) return undefined;
    const values: unknown = JSON.parse(bytes.toString());
    return Array.isArray(values) && values.every((value) => typeof value === "string") ? values : undefined;
  } catch {
    return undefined;
  }
}
