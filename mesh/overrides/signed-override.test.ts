import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SignedOverrideSchema, Transport } from "../gen/weft/overrides/v1/override_pb.ts";
import { validityMaxMs } from "./override-problem.ts";
import { OverrideRefused, openOverride } from "./signed-override.ts";
import { overrideAt, startSigners } from "./testing.ts";

let signers: Awaited<ReturnType<typeof startSigners>>;
beforeAll(async () => {
  signers = await startSigners();
});
afterAll(() => signers?.[Symbol.asyncDispose]());

const nowMs = Date.now();
const at = (ms: number) => timestampFromMs(nowMs + ms);
const open = (bytes: Uint8Array, id = "transport.catalog", namespace = "shop") =>
  openOverride(id, bytes, {
    operator: "spiffe://test.local/operator",
    identify: signers.credentials.identify,
    namespace,
    nowMs,
  });
/** Why it is refused. */
const refusal = (bytes: Uint8Array, id?: string, namespace?: string) => {
  try {
    open(bytes, id, namespace);
  } catch (error) {
    expect(error).toBeInstanceOf(OverrideRefused);
    return (error as Error).message;
  }
  return undefined;
};

test("an override that the operator has signed is what was signed", () => {
  const override = overrideAt(nowMs);
  expect(open(signers.asOperator(override))).toEqual(override);
});

test("one whose bytes were changed is refused, whichever byte it is", () => {
  const bytes = signers.asOperator(overrideAt(nowMs));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (index, change) => {
      const changed = bytes.slice();
      changed[index] = (changed[index] ?? 0) ^ change;
      // Certificates have bytes that nobody reads; what is read must be what was signed.
      const opened = refusal(changed) === undefined ? open(changed) : undefined;
      if (opened) expect(opened).toEqual(overrideAt(nowMs));
    }),
    { numRuns: 500 },
  );
});

test("any bytes at all are refused, with nothing worse", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void expect(refusal(bytes)).toBeDefined()));
  expect(refusal(new Uint8Array(100_000))).toContain("longer than");
});

test("one that is signed by somebody else is refused", () => {
  expect(refusal(signers.asService(overrideAt(nowMs)))).toBe(
    "it is signed by spiffe://test.local/order, not by spiffe://test.local/operator",
  );
  expect(refusal(signers.asStranger(overrideAt(nowMs)))).toContain("not issued by the mesh's authority");
});

test("one without a signature, or with another's, is refused", () => {
  const signed = fromBinary(SignedOverrideSchema, signers.asOperator(overrideAt(nowMs)));
  const other = fromBinary(SignedOverrideSchema, signers.asOperator(overrideAt(nowMs, { reason: "another" })));
  const bytes = (changes: Partial<typeof signed>) => toBinary(SignedOverrideSchema, { ...signed, ...changes });
  expect(refusal(bytes({ signature: new Uint8Array() }))).toBe("it is not signed");
  expect(refusal(bytes({ signature: other.signature }))).toBe("its signature is wrong");
  expect(refusal(bytes({ certificates: [] }))).toContain("a chain of 0 certificates");
  const [certificate = new Uint8Array()] = signed.certificates;
  expect(refusal(bytes({ certificates: Array(10).fill(certificate) }))).toContain("a chain of 10 certificates");
});

test("one that is put under another key, or into another namespace, is refused", () => {
  const bytes = signers.asOperator(overrideAt(nowMs));
  expect(refusal(bytes, "transport.order")).toContain("shop.transport.catalog does not belong");
  expect(refusal(bytes, "transport.catalog", "other")).toContain("shop.transport.catalog does not belong");
});

describe("signed by the operator, an override is refused that", () => {
  const fault = { method: "", percentage: 10, kind: { case: "blackhole", value: {} } } as const;
  const split = (percentages: Record<string, number>) => ({ case: "split", value: { percentages } }) as const;
  const faulty = (changes: object) => ({ case: "fault", value: { ...fault, ...changes } }) as const;
  test.each<[string, string, Parameters<typeof overrideAt>[1]]>([
    ["has expired", "it expired at", { issuedAt: at(-7_200_000), expiresAt: at(-1) }],
    ["is of the future", "issued in the future", { issuedAt: at(120_000) }],
    ["holds for too long", "more than 7 days", { expiresAt: at(validityMaxMs + 1) }],
    ["has no expiry", "it has no dates", { expiresAt: undefined as never }],
    ["has no author", "no author", { author: " " }],
    ["has no reason", "no reason", { reason: "" }],
    ["names no target", "no service that is called", { target: "" }],
    ["has an odd caller", "its caller", { caller: "a b" }],
    ["has no effect", "no effect", { effect: { case: undefined } }],
    ["names no way", "no way", { effect: { case: "transport", value: Transport.UNSPECIFIED } }],
    ["names an unknown way", "no way", { effect: { case: "transport", value: 99 as Transport } }],
    ["splits to nobody", "no versions", { effect: split({}) }],
    ["splits to no version", "no version", { effect: split({ "a b": 10 }) }],
    ["splits more than there is", "splits 101 percent", { effect: split({ a: 100, b: 1 }) }],
    ["hits no call", "percentage", { effect: faulty({ percentage: 0 }) }],
    ["hits more than all calls", "percentage", { effect: faulty({ percentage: 101 }) }],
    ["names an odd method", "method", { effect: faulty({ method: "GetProduct" }) }],
    ["is a fault of no kind", "no kind", { effect: faulty({ kind: { case: undefined } }) }],
    ["delays by nothing", "delay", { effect: faulty({ kind: { case: "delay", value: {} } }) }],
    ["delays for too long", "delay", { effect: faulty({ kind: { case: "delay", value: { seconds: 61n } } }) }],
    ["aborts with OK", "code", { effect: faulty({ kind: { case: "abortCode", value: 0 } }) }],
    ["aborts with no code", "code", { effect: faulty({ kind: { case: "abortCode", value: 17 } }) }],
  ])("%s", (_, reason, changes) => {
    expect(refusal(signers.asOperator(overrideAt(nowMs, changes)))).toContain(reason);
  });
});
