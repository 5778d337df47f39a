import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { addressesOf, loadAddressBook } from "./address-book.ts";
import { exitCodes } from "./failure.ts";

const order = { grpc: "127.0.0.1:17140", health: "127.0.0.1:17141", metrics: "127.0.0.1:17142" };
let clone: string;

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), "weft-clone-"));
  const made = clone;
  onTestFinished(() => rm(made, { recursive: true }));
  await mkdir(join(clone, ".weft"));
  await mkdir(join(clone, "services/order"), { recursive: true });
});

const write = (value: unknown) => writeFile(join(clone, ".weft/stack.json"), JSON.stringify(value));

describe("the address book", () => {
  test("is found from any folder inside the clone", async () => {
    await write({ services: { order }, certs: ".weft/certs" });
    const book = await loadAddressBook(undefined, join(clone, "services/order"));
    expect(addressesOf(book, "order")).toEqual(order);
    expect(book.certDirectory).toBe(join(clone, ".weft/certs"));
  });

  test("can be another stack's", async () => {
    await write({ services: { order } });
    const book = await loadAddressBook(join(clone, ".weft"), "/");
    expect([addressesOf(book, "order"), book.certDirectory]).toEqual([order, join(clone, ".weft/certs")]);
  });

  test("names what is near a name that nobody has", async () => {
    await write({ services: { order } });
    const book = await loadAddressBook(undefined, clone);
    expect(() => addressesOf(book, "ordre")).toThrow(
      expect.objectContaining({ exitCode: exitCodes.usage, hint: "did you mean order?" }),
    );
  });

  test("of a stack that is not there says what writes it", async () => {
    await expect(loadAddressBook(".weft", clone)).rejects.toMatchObject({ hint: "`make up` writes it" });
  });

  test("that is broken says what mends it", async () => {
    await writeFile(join(clone, ".weft/stack.json"), "{");
    await expect(loadAddressBook(undefined, clone)).rejects.toMatchObject({ hint: /make down.*make up/ });
  });
});
