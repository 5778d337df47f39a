import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Authorization,
  beginAuthorization,
  nextAction,
  type Payment,
  requestLifetimeMs,
  settleAuthorization,
  settleCapture,
  settleRefund,
  settleVoid,
  wantCapture,
  wantVoid,
} from "./domain.ts";

const now = new Date("2026-03-01T12:00:00Z");
const later = new Date(now.getTime() + requestLifetimeMs + 1);
const orderId = "ord_1";
const amount = { currencyCode: "EUR", minorUnits: 500n };
const authorized: Authorization = { status: "authorized", reference: "auth_1" };
const declined: Authorization = { status: "declined", reference: "auth_1", reason: "insufficient funds" };

type Step = (payment: Payment | undefined) => Payment | undefined;
const steps: Record<string, Step> = {
  authorize: (payment) => beginAuthorization(payment, { orderId, amount }, now),
  authorized: (payment) => payment && settleAuthorization(payment, authorized, now),
  declined: (payment) => payment && settleAuthorization(payment, declined, now),
  absent: (payment) => payment && settleAuthorization(payment, { status: "absent" }, later),
  confirmed: (payment) => wantCapture(payment, orderId, now),
  cancelled: (payment) => wantVoid(payment, orderId, now),
  captured: (payment) => payment && settleCapture(payment, { type: "captured" }, now),
  captureRefused: (payment) => payment && settleCapture(payment, { type: "refused", reason: "expired" }, now),
  voided: (payment) => payment && settleVoid(payment, "voided", now),
  capturedMeanwhile: (payment) => payment && settleVoid(payment, "captured", now),
  refunded: (payment) => payment && settleRefund(payment, now),
};

function paymentAfter(...names: string[]): Payment | undefined {
  return names.reduce<Payment | undefined>((payment, name) => steps[name]?.(payment) ?? payment, undefined);
}

function codeOf(fn: () => unknown): Code | undefined {
  try {
    fn();
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

describe("a payment's way", () => {
  test.each<[string[], Payment["state"], Payment["wanted"], ReturnType<typeof nextAction>]>([
    [["authorize"], "PENDING", undefined, "resolve"],
    [["authorize", "authorize"], "PENDING", undefined, "resolve"],
    [["authorize", "absent"], "PENDING", undefined, "resolve"],
    [["authorize", "authorized"], "AUTHORIZED", undefined, "nothing"],
    [["authorize", "authorized", "authorize"], "AUTHORIZED", undefined, "nothing"],
    [["authorize", "declined", "authorized"], "DECLINED", undefined, "nothing"],
    [["authorize", "authorized", "confirmed"], "AUTHORIZED", "CAPTURE", "capture"],
    [["authorize", "authorized", "confirmed", "captured"], "CAPTURED", undefined, "nothing"],
    [["authorize", "authorized", "confirmed", "captured", "confirmed"], "CAPTURED", undefined, "nothing"],
    [["authorize", "authorized", "confirmed", "captureRefused"], "FAILED", undefined, "nothing"],
    [["authorize", "authorized", "confirmed", "captureRefused", "cancelled"], "FAILED", "VOID", "void"],
    [["authorize", "authorized", "confirmed", "captureRefused", "cancelled", "voided"], "VOIDED", undefined, "nothing"],
    [["authorize", "cancelled"], "PENDING", "VOID", "resolve"],
    [["authorize", "cancelled", "authorized"], "AUTHORIZED", "VOID", "void"],
    [["authorize", "cancelled", "declined"], "DECLINED", undefined, "nothing"],
    [["authorize", "cancelled", "absent"], "VOIDED", undefined, "nothing"],
    // Frozen between its commit and its request, longer than a request may take.
    [["authorize", "cancelled", "absent", "authorized"], "AUTHORIZED", "VOID", "void"],
    [["authorize", "cancelled", "authorized", "voided", "authorized"], "VOIDED", undefined, "nothing"],
    [["authorize", "authorized", "cancelled", "voided"], "VOIDED", undefined, "nothing"],
    [["authorize", "confirmed", "authorized"], "AUTHORIZED", "CAPTURE", "capture"],
    [["authorize", "authorized", "cancelled", "confirmed"], "AUTHORIZED", "VOID", "void"],
    [["authorize", "authorized", "cancelled", "voided", "confirmed"], "VOIDED", undefined, "nothing"],
    [["cancelled"], "VOIDED", undefined, "nothing"],
    [["authorize", "authorized", "confirmed", "captured", "cancelled"], "CAPTURED", "REFUND", "refund"],
    [["authorize", "authorized", "confirmed", "captured", "cancelled", "refunded"], "REFUNDED", undefined, "nothing"],
    [
      ["authorize", "authorized", "confirmed", "captured", "cancelled", "refunded", "cancelled", "refunded"],
      "REFUNDED",
      undefined,
      "nothing",
    ],
    [["authorize", "authorized", "confirmed", "captured", "refunded"], "CAPTURED", undefined, "nothing"],
    [["authorize", "authorized", "confirmed", "cancelled", "capturedMeanwhile"], "CAPTURED", "REFUND", "refund"],
  ])("%j: %s, wanted %s, next %s", (names, state, wanted, action) => {
    const payment = paymentAfter(...names);
    expect(payment).toMatchObject({ state, wanted });
    expect(payment && nextAction(payment)).toBe(action);
  });

  test("absent says nothing while the request may still arrive: it is not voided then", () => {
    const pending = paymentAfter("authorize", "cancelled");
    expect(pending && settleAuthorization(pending, { status: "absent" }, now)).toBeUndefined();
    expect(pending && settleAuthorization(pending, { status: "processing" }, later)).toBeUndefined();
  });
});

describe("refused with FAILED_PRECONDITION", () => {
  test.each([
    ["an authorization of a cancelled order", ["cancelled"], "authorize"],
    [
      "an authorization of an order that was cancelled while one was under way",
      ["authorize", "cancelled"],
      "authorize",
    ],
    ["the capture of a declined payment", ["authorize", "declined"], "confirmed"],
    ["the capture of no payment", [], "confirmed"],
  ])("%s", (_what, names, step) => {
    expect(codeOf(() => steps[step]?.(paymentAfter(...names)))).toBe(Code.FailedPrecondition);
  });

  test.each([
    ["EUR 5.01", { currencyCode: "EUR", minorUnits: 501n }],
    ["USD 5.00", { currencyCode: "USD", minorUnits: 500n }],
  ])("%s where it was begun with EUR 5.00", (_what, other) => {
    for (const known of [paymentAfter("authorize"), paymentAfter("authorize", "authorized")]) {
      expect(codeOf(() => beginAuthorization(known, { orderId, amount: other }, now))).toBe(Code.FailedPrecondition);
    }
  });
});

test("whatever comes in whatever order: the amount never changes, versions have no gap, what was captured or given back stays so, what is refunded was captured and is not wanted", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...Object.keys(steps)), { maxLength: 15 }), (names) => {
      let payment: Payment | undefined;
      for (const name of names) {
        const before: Payment | undefined = payment;
        try {
          payment = steps[name]?.(before) ?? before;
        } catch (error) {
          expect(ConnectError.from(error).code).toBe(Code.FailedPrecondition);
        }
        if (before === undefined || payment === undefined || payment === before) continue;
        expect(payment.version).toBe(before.version + 1);
        expect(payment.amount).toEqual(before.amount);
        if (["DECLINED", "REFUNDED"].includes(before.state)) expect(payment.state).toBe(before.state);
        // But what was given up as never sent may turn out to have been, and is then given back.
        if (before.state === "VOIDED") {
          expect(payment).toMatchObject({ state: "AUTHORIZED", wanted: "VOID" });
          expect(before.providerReference).toBe("");
        }
        if (before.state === "CAPTURED") expect(["CAPTURED", "REFUNDED"]).toContain(payment.state);
        if (payment.state === "REFUNDED") expect(before).toMatchObject({ state: "CAPTURED", wanted: "REFUND" });
      }
    }),
  );
});
