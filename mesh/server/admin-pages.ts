import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { decodePageToken, encodePageToken } from "../contract/page-token.ts";

/** Entries on a page of which nobody has said how long it is to be. */
const pageSizeDefault = 50;

/** Pages of one of the operator's lists. */
export interface Pages {
  size(asked: number): number;
  /**
   * Where the page before ended: the token's values; empty for the first page.
   *
   * @param shapes what each value must look like; left out where whoever uses them looks himself
   * @throws ConnectError INVALID_ARGUMENT
   */
  after(token: string, shapes?: readonly RegExp[]): string[];
  /** The token of the page after these values; empty if there is none. */
  next(values: readonly string[] | undefined): string;
}

/** @param list names the list, with its filters: a token is good for that list only */
export function createPages(list: string): Pages {
  return {
    size: (asked) => asked || pageSizeDefault,
    after(token, shapes) {
      if (token === "") return [];
      const values = decodePageToken(list, token);
      // A token is input like any other: it may have been put together by hand.
      if (shapes === undefined) return values;
      if (values.length === shapes.length && shapes.every((shape, index) => shape.test(values[index] ?? "")))
        return values;
      const description = "is not a token that a list has returned";
      throw rpcError(Code.InvalidArgument, `page_token ${description}`, {
        reason: "PAGE_TOKEN_INVALID",
        domain: "weft",
        violations: [{ field: "page_token", description }],
      });
    },
    next: (values) => (values === undefined ? "" : encodePageToken(list, values)),
  };
}
