import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { runDetached } from "@weft/mesh/context";
import { errorReason } from "@weft/mesh/contract";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterEach, describe, expect, test } from "vitest";
import { createProvider } from "./provider.ts";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const request = { orderId: "ord_1", amount: { currencyCode: "EUR", minorUnits: 500n }, paymentMethod: "tok_visa" };
const resources: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of resources.splice(0)) await resource[Symbol.asyncDispose]();
});

/** A provider that answers as told, over real HTTP. */
async function providerThat(answer: (response: ServerResponse, seen: Seen) => void, timeoutMs = 5_000) {
  const seen: Seen[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { method, url, headers } = incoming;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    answer(response, seen.at(-1) as Seen);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const lines: string[] = [];
  const telemetry = createTelemetry({ service: "payment", write: (line) => lines.push(line) });
  resources.push(telemetry, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = createProvider({ url, key: "sk_test", telemetry, timeoutMs });
  return { provider, seen, telemetry, lines };
}

const json = (status: number, body: unknown) => (response: ServerResponse) =>
  void response.writeHead(status).end(JSON.stringify(body));

test("authorize() sends exact minor units, our key, the order's idempotency key and the trace", async () => {
  const { provider, seen, telemetry } = await providerThat(json(200, { id: "auth_1", status: "authorized" }));
  const trace = await telemetry.span("test", {}, async (span) => {
    expect(await provider.authorize(request)).toEqual({ status: "authorized", reference: "auth_1" });
    return span.spanContext().traceId;
  });
  expect(seen[0]).toMatchObject({
    method: "POST",
    url: "/v1/authorizations",
    headers: { authorization: "Bearer sk_test", "idempotency-key": "authorize:ord_1" },
  });
  expect(seen[0]?.headers.traceparent).toContain(trace);
  expect(JSON.parse(seen[0]?.body ?? "")).toEqual({
    amount: 500,
    currency: "EUR",
    payment_method: "tok_visa",
    reference: "ord_1",
  });
});

describe("authorize() answers", () => {
  test.each([
    [402, { id: "auth_1", status: "declined", decline_reason: "insufficient_funds" }, "insufficient funds"],
    [
      400,
      { error: { code: "invalid_request", message: "payment_method must be one of ..." } },
      "payment_method must be",
    ],
  ])("a %i as declined, with a reason for people", async (status, body, reason) => {
    const { provider } = await providerThat(json(status, body));
    const answer = await provider.authorize(request);
    expect(answer).toMatchObject({ status: "declined", reason: expect.stringContaining(reason) });
  });

  test.each([401, 409, 429, 500, 503])("a %i as UNAVAILABLE: nobody knows, and nothing is declined", async (status) => {
    const { provider } = await providerThat(json(status, { error: { code: "whatever" } }));
    await expect(provider.authorize(request)).rejects.toMatchObject({ code: Code.Unavailable });
  });

  test("a cut connection and an answer that is no JSON or too large as UNAVAILABLE, a silence as DEADLINE_EXCEEDED", async () => {
    const answers = [
      (response: ServerResponse) => void response.destroy(),
      (response: ServerResponse) => void response.end("<html>"),
      (response: ServerResponse) => void response.end(`"${"x".repeat(100_000)}"`),
      () => {},
    ];
    let next = 0;
    const { provider } = await providerThat((response) => answers[next++]?.(response), 1_000);
    for (const code of [Code.Unavailable, Code.Unavailable, Code.Unavailable, Code.DeadlineExceeded]) {
      await expect(provider.authorize(request)).rejects.toMatchObject({ code });
    }
  });
});

test.each([400, 401, 409, 500])(
  "a %i that repeats the payment method: neither reason nor log line does",
  async (status) => {
    const { provider, telemetry, lines } = await providerThat(
      json(status, { error: { code: "no_such_method", message: "no such payment method: tok_visa" } }),
    );
    const outcome = await provider.authorize(request).catch((error: unknown) => error);
    telemetry.logger.warn("failed", { outcome });
    expect(lines.join()).toMatch(/no.such|500/);
    expect(lines.join()).not.toContain("tok_visa");
  },
);

test("a caller that leaves is no failure of the provider's", async () => {
  const { provider, seen } = await providerThat(() => {});
  for (let calls = 0; calls < 8; calls += 1) {
    const left = runDetached({ timeoutMs: 20 }, () => provider.authorize(request));
    await expect(left).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  }
  expect(seen).toHaveLength(8);
});

test("an ill provider is left alone after five failures in a row, and asked again once it may have recovered", async () => {
  let ill = true;
  const { provider, seen } = await providerThat((response) =>
    ill ? json(503, {})(response) : json(200, { data: [] })(response),
  );
  for (let calls = 0; calls < 20; calls += 1) {
    await expect(provider.find("ord_1")).rejects.toMatchObject({ code: Code.Unavailable });
  }
  expect(seen).toHaveLength(5);
  ill = false;
  await expect
    .poll(() => provider.find("ord_1").catch(() => undefined), { timeout: 5_000 })
    .toEqual({ status: "absent" });
  expect(await provider.find("ord_1")).toEqual({ status: "absent" });
});

test("a probe whose caller leaves tells nothing: the provider is left alone until the next one", async () => {
  const { provider, seen } = await providerThat((response) => {
    // Later requests, the probe first, are not answered.
    if (seen.length <= 5) json(503, {})(response);
  });
  for (let calls = 0; calls < 5; calls += 1) await expect(provider.find("ord_1")).rejects.toThrow();
  const probe = () => runDetached({ timeoutMs: 20 }, () => provider.find("ord_1")).catch(({ code }) => code);
  await expect.poll(probe, { timeout: 5_000 }).toBe(Code.DeadlineExceeded);
  for (let calls = 0; calls < 10; calls += 1) {
    const refused = await provider.find("ord_1").catch(errorReason);
    expect(refused).toBe("PROVIDER_BREAKER_OPEN");
  }
  expect(seen).toHaveLength(6);
});

describe("capture()", () => {
  test.each([
    [200, { id: "auth_1", status: "captured" }, undefined, { type: "captured" }],
    [402, { decline_reason: "authorization_expired" }, undefined, { type: "refused", reason: "authorization expired" }],
    [409, { error: { code: "invalid_state" } }, "captured", { type: "captured" }],
    [409, { error: { code: "invalid_state" } }, "voided", { type: "refused", reason: "the authorization is voided" }],
  ])("%i %j, authorization then %s: %j", async (status, body, found, outcome) => {
    const { provider, seen } = await providerThat((response, { method }) =>
      method === "POST"
        ? json(status, body)(response)
        : json(200, { data: [{ id: "auth_1", status: found }] })(response),
    );
    expect(await provider.capture("ord_1", "auth_1")).toEqual(outcome);
    expect(seen[0]).toMatchObject({
      url: "/v1/authorizations/auth_1/capture",
      headers: { "idempotency-key": "capture:ord_1" },
    });
  });
});

test.each([
  ["authorized", [{ id: "auth_1", status: "authorized" }]],
  ["processing", [{ id: "auth_1", status: "processing" }]],
  ["not to be found", []],
])("capture() answered 409, authorization then %s: UNAVAILABLE, the money may still be taken", async (_what, data) => {
  const { provider } = await providerThat((response, { method }) =>
    method === "POST" ? json(409, { error: { code: "key_in_use" } })(response) : json(200, { data })(response),
  );
  await expect(provider.capture("ord_1", "auth_1")).rejects.toMatchObject({ code: Code.Unavailable });
});

describe("refund()", () => {
  test.each([
    [200, undefined],
    [409, "refunded"],
  ])("%i, authorization then %s: done, under the order's key", async (status, found) => {
    const { provider, seen } = await providerThat((response, { method }) =>
      method === "POST" ? json(status, {})(response) : json(200, { data: [{ id: "auth_1", status: found }] })(response),
    );
    await provider.refund("ord_1", "auth_1");
    expect(seen[0]).toMatchObject({
      url: "/v1/authorizations/auth_1/refund",
      headers: { "idempotency-key": "refund:ord_1" },
    });
  });

  test.each([
    [402, "captured"],
    [409, "captured"],
    [404, "captured"],
  ])("%i, authorization then %s: not done, to be asked again", async (status, found) => {
    const { provider } = await providerThat((response, { method }) =>
      method === "POST" ? json(status, {})(response) : json(200, { data: [{ id: "auth_1", status: found }] })(response),
    );
    await expect(provider.refund("ord_1", "auth_1")).rejects.toMatchObject({ code: Code.Unavailable });
  });
});

describe("void()", () => {
  test.each([
    [200, undefined, "voided"],
    [409, "voided", "voided"],
    [409, "captured", "captured"],
    [409, "refunded", "captured"],
  ])("%i, authorization then %s: %s", async (status, found, outcome) => {
    const { provider, seen } = await providerThat((response, { method }) =>
      method === "POST" ? json(status, {})(response) : json(200, { data: [{ id: "auth_1", status: found }] })(response),
    );
    expect(await provider.void("ord_1", "auth_1")).toBe(outcome);
    expect(seen[0]).toMatchObject({ headers: { "idempotency-key": "void:ord_1" } });
  });
});
