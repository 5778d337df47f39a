import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { getProduct, type ProductDeps } from "./usecases.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const deps: ProductDeps<string> = { findProduct: async () => "a cup", findAvailable: async () => 3n, logger };

describe("getProduct()", () => {
  test("joins product and stock", async () => {
    expect(await getProduct(deps, "CUP")).toEqual({ product: "a cup", available: 3n });
  });

  test("shows none left as 0, which is known", async () => {
    expect(await getProduct({ ...deps, findAvailable: async () => 0n }, "CUP")).toMatchObject({ available: 0n });
  });

  test("does without stock that is not known", async () => {
    const findAvailable = () => Promise.reject(new ConnectError("too slow", Code.DeadlineExceeded));
    expect(await getProduct({ ...deps, findAvailable }, "CUP")).toEqual({ product: "a cup", available: undefined });
  });

  test("fails with the catalog's error at once, and stops asking for stock", async () => {
    let stopped = false;
    const findAvailable = (_sku: string, signal: AbortSignal) =>
      new Promise<bigint>((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          stopped = true;
          reject(new Error("aborted"));
        });
      });
    const findProduct = () => Promise.reject(new ConnectError("no such product", Code.NotFound));
    await expect(getProduct({ ...deps, findProduct, findAvailable }, "CUP")).rejects.toThrow("no such product");
    expect(stopped).toBe(true);
  });
});
