import { expect, test } from "vitest";
import { createFixture, runScript } from "./testing.ts";

const echo = "proto/weft/echo/v1/echo.proto";

test("breaking passes on a new field", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  await fixture.edit(echo, "message EchoForUserRequest {}", "message EchoForUserRequest { string added = 1; }");
  expect(await runScript("breaking.ts", fixture)).toMatchObject({ exitCode: 0 });
});

test("breaking names file and field of a removed field", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  await fixture.edit(echo, "  google.protobuf.Duration delay = 2;\n", "");
  const { exitCode, output } = await runScript("breaking.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output).toMatch(/^proto\/weft\/echo\/v1\/echo\.proto:\d+:\d+:.*field "2" with name "delay"/m);
});

test("breaking leaves vendored contracts to those who own them", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  await fixture.edit("proto/vendor/google/rpc/error_details.proto", "string url = 2;", "");
  expect(await runScript("breaking.ts", fixture)).toMatchObject({ exitCode: 0 });
});

test("breaking fails without an image to compare with", async () => {
  await using fixture = await createFixture(["proto/weft", "proto/vendor", "buf.yaml"]);
  const { exitCode, output } = await runScript("breaking.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output).toContain("proto/release.binpb: is not there");
});
