import { expect, test } from "vitest";
import { createFixture, runScript } from "./testing.ts";

const echo = "proto/weft/echo/v1/echo.proto";

test("contracts passes on the repository's own contracts", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  expect(await runScript("contracts.ts", fixture)).toMatchObject({ exitCode: 0, output: expect.stringMatching(/ok/) });
});

test("contracts names file and method of a negative timeout", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  await fixture.edit(echo, "timeout: {seconds: 2}", "timeout: {seconds: -2}");
  const { exitCode, output } = await runScript("contracts.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output).toContain(`${echo}: weft.echo.v1.EchoService.EchoAgain: timeout must be above 0`);
});

test("contracts names file and method of a retry on a method that is not idempotent", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  await fixture.edit(echo, "option idempotency_level = IDEMPOTENT;", "");
  const { exitCode, output } = await runScript("contracts.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output).toContain(`${echo}: weft.echo.v1.EchoService.EchoAgain: retry needs idempotency_level`);
});

test("contracts names a field in which money would be a floating point number", async () => {
  await using fixture = await createFixture(["proto", "buf.yaml"]);
  await fixture.edit(
    "proto/shop/type/v1/money.proto",
    "string currency_code",
    "double total_amount = 9;\n  string currency_code",
  );
  const { exitCode, output } = await runScript("contracts.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output).toContain(
    "proto/shop/type/v1/money.proto: field shop.type.v1.Money.total_amount: money is an integer",
  );
});
