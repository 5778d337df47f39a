import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFixture, runScript } from "./testing.ts";

test("gen-fresh names generated files that are stale, missing or left over", async () => {
  await using fixture = await createFixture([
    "proto",
    "buf.yaml",
    "buf.gen.yaml",
    "mesh/buf.gen.yaml",
    "gen",
    "mesh/gen",
  ]);
  expect(await runScript("gen-fresh.ts", fixture)).toMatchObject({ exitCode: 0 });

  await fixture.edit("gen/shop/order/v1/order_pb.ts", "export ", "// edited by hand\nexport ");
  await rm(join(fixture.root, "mesh/gen/weft/v1/event_pb.ts"));
  await fixture.write("gen/shop/order/v1/old_pb.ts", "export {};\n");
  const { exitCode, output } = await runScript("gen-fresh.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output.split("\n").filter((line) => line.includes("_pb.ts"))).toEqual([
    expect.stringContaining("gen/shop/order/v1/order_pb.ts: is stale"),
    expect.stringContaining("gen/shop/order/v1/old_pb.ts: has no proto any more"),
    expect.stringContaining("mesh/gen/weft/v1/event_pb.ts: is missing"),
  ]);
}, 60_000);
