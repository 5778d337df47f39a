import { create, createFileRegistry, type DescFile, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel as Level,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import {
  Criticality,
  EventPolicySchema,
  event,
  file_weft_v1_options,
  KeySource,
  MethodPolicySchema,
  method,
} from "../gen/weft/v1/options_pb.ts";
import { ContractError, contractProblems, keyRuleMissing, readPolicies } from "./policy.ts";

type MethodInit = Parameters<typeof create<typeof MethodPolicySchema>>[1];

/** A file with one service of one method that has the given options. */
function contract(policy: MethodInit, idempotencyLevel: Level = Level.NO_SIDE_EFFECTS, streaming = false): DescFile {
  const options = { idempotencyLevel };
  const file = create(FileDescriptorProtoSchema, {
    name: "shop/test.proto",
    package: "shop",
    syntax: "proto3",
    dependency: ["weft/v1/options.proto"],
    messageType: [{ name: "M" }],
    service: [
      {
        name: "TestService",
        method: [{ name: "Do", inputType: ".shop.M", outputType: ".shop.M", options, serverStreaming: streaming }],
      },
    ],
  });
  const methodOptions = file.service[0]?.method[0]?.options;
  if (methodOptions) setExtension(methodOptions, method, create(MethodPolicySchema, policy));
  return load(file);
}

function load(file: ReturnType<typeof create<typeof FileDescriptorProtoSchema>>): DescFile {
  const dependencies = [file_weft_v1_options, ...file_weft_v1_options.dependencies].map((d) => d.proto);
  const set = create(FileDescriptorSetSchema, { file: [...dependencies.reverse(), file] });
  const again = fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set));
  const loaded = createFileRegistry(again).getFile(file.name);
  if (loaded === undefined) throw new Error("the file was not loaded");
  return loaded;
}

const second = { seconds: 1n };
const retry = { maxAttempts: 3, initialBackoff: { nanos: 10_000_000 }, maxBackoff: second };

describe("contractProblems()", () => {
  test("finds nothing wrong with sensible options", () => {
    expect(
      contractProblems(
        contract({
          timeout: second,
          retry,
          hedging: true,
          requiredScopes: ["customer", "catalog:write"],
          fallback: "static-list",
        }),
      ),
    ).toEqual([]);
  });

  test.each<[string, MethodInit, Level, RegExp]>([
    ["a negative timeout", { timeout: { seconds: -1n } }, Level.IDEMPOTENT, /timeout must be above 0/],
    ["a timeout of nothing", { timeout: {} }, Level.IDEMPOTENT, /timeout must be above 0/],
    ["a timeout of an hour", { timeout: { seconds: 3600n } }, Level.IDEMPOTENT, /at most 5 minutes/],
    ["a retry of what may not run twice", { retry }, Level.IDEMPOTENCY_UNKNOWN, /retry needs idempotency_level/],
    [
      "hedging of what may not run twice",
      { hedging: true },
      Level.IDEMPOTENCY_UNKNOWN,
      /hedging needs idempotency_level/,
    ],
    ["one attempt", { retry: { ...retry, maxAttempts: 1 } }, Level.IDEMPOTENT, /max_attempts must be 2 to 5/],
    ["a hundred attempts", { retry: { ...retry, maxAttempts: 100 } }, Level.IDEMPOTENT, /max_attempts must be 2 to 5/],
    ["a key's field without the source", { idempotencyKeyField: "id" }, Level.IDEMPOTENT, /needs KEY_SOURCE_FIELD/],
    ["a key in no field", { idempotencyKey: KeySource.FIELD }, Level.IDEMPOTENT, /must name a string field/],
    [
      "a key in a field that there is not",
      { idempotencyKey: KeySource.FIELD, idempotencyKeyField: "id" },
      Level.IDEMPOTENT,
      /must name a string field/,
    ],
    ["no backoff", { retry: { maxAttempts: 2, maxBackoff: second } }, Level.IDEMPOTENT, /initial_backoff/],
    ["a shrinking backoff", { retry: { ...retry, maxBackoff: { nanos: 1 } } }, Level.IDEMPOTENT, /max_backoff/],
    ["an attempt of no time", { retry: { ...retry, attemptTimeout: {} } }, Level.IDEMPOTENT, /attempt_timeout/],
    ["a fallback that is no name", { fallback: "Do without" }, Level.IDEMPOTENT, /fallback must be/],
    ["a criticality that there is not", { criticality: 9 as Criticality }, Level.IDEMPOTENT, /criticality must be/],
    ["a scope with a blank", { requiredScopes: ["a b"] }, Level.IDEMPOTENT, /required_scopes/],
  ])("names file, method and reason of %s", (_name, policy, level, reason) => {
    const problems = contractProblems(contract(policy, level));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^shop\/test\.proto: shop\.TestService\.Do: /);
    expect(problems[0]).toMatch(reason);
  });

  test("refuses a retry or hedging of a stream", () => {
    expect(contractProblems(contract({ hedging: true }, Level.IDEMPOTENT, true))[0]).toMatch(/unary methods only/);
    expect(contractProblems(contract({ retry }, Level.IDEMPOTENT, true))[0]).toMatch(/unary methods only/);
  });

  test("refuses an event whose key is no field of it", () => {
    const file = create(FileDescriptorProtoSchema, {
      name: "shop/test.proto",
      package: "shop",
      syntax: "proto3",
      dependency: ["weft/v1/options.proto"],
      messageType: [{ name: "Happened", options: {} }],
    });
    const options = file.messageType[0]?.options;
    if (options) setExtension(options, event, create(EventPolicySchema, { subject: "shop.Happened", key: "id" }));
    expect(contractProblems(load(file))).toEqual([
      'shop/test.proto: shop.Happened: event.key "id" must name a string field of the message',
    ]);
  });
});

describe("readPolicies()", () => {
  test("reads what the contract says, and defaults for what it leaves out", () => {
    const policies = readPolicies(EchoService);
    expect(policies.get(EchoService.method.echoAgain)).toMatchObject({
      path: "weft.echo.v1.EchoService/EchoAgain",
      timeoutMs: 2_000,
      idempotent: true,
      retry: { maxAttempts: 3, initialBackoffMs: 10, maxBackoffMs: 100, attemptTimeoutMs: 300 },
    });
    expect(policies.get(EchoService.method.echo)).toMatchObject({ timeoutMs: 5_000, idempotent: false });
    expect(policies.get(EchoService.method.echo)?.retry).toBeUndefined();
    expect(policies.get(EchoService.method.echoHedged)?.hedging).toBe(true);
    expect(policies.get(EchoService.method.echo)?.hedging).toBe(false);
    expect(policies.get(EchoService.method.echoAgain)?.fallback).toBe("silence");
    expect(policies.get(EchoService.method.echo)?.fallback).toBeUndefined();
    expect(policies.get(EchoService.method.chat)?.timeoutMs).toBe(Number.POSITIVE_INFINITY);
    expect(policies.get(EchoService.method.echoForUser)?.requiredScopes).toEqual(["echo"]);
  });

  test.each([
    [Criticality.CRITICAL, "critical"],
    [Criticality.DEFAULT, "default"],
    [Criticality.SHEDDABLE, "sheddable"],
    [Criticality.UNSPECIFIED, undefined],
  ])("reads criticality %j as %s", (criticality, read) => {
    const service = contract({ criticality }).services[0];
    if (service === undefined) throw new Error("no service");
    expect([...readPolicies(service).values()].map((policy) => policy.criticality)).toEqual([read]);
  });

  test("throws all problems of a service at once", () => {
    const service = contract({ timeout: {}, retry: { ...retry, maxAttempts: 9 } }).services[0];
    if (service === undefined) throw new Error("no service");
    expect(() => readPolicies(service)).toThrow(ContractError);
    expect(() => readPolicies(service)).toThrow(/timeout[\s\S]*max_attempts/);
  });
});

describe("keyRuleMissing()", () => {
  const methodsOf = (file: DescFile) => file.services.flatMap(({ methods }) => methods);

  test("finds what may have side effects and does not say where its idempotency key is", () => {
    for (const level of [Level.IDEMPOTENT, Level.IDEMPOTENCY_UNKNOWN]) {
      expect(keyRuleMissing(methodsOf(contract({}, level)))).toEqual([
        expect.stringMatching(/^shop\/test.proto: shop.TestService.Do: .* must say its idempotency_key$/),
      ]);
      expect(keyRuleMissing(methodsOf(contract({ idempotencyKey: KeySource.NONE }, level)))).toEqual([]);
      expect(keyRuleMissing(methodsOf(contract({ idempotencyKey: KeySource.METADATA }, level)))).toEqual([]);
    }
    expect(keyRuleMissing(methodsOf(contract({})))).toEqual([]);
  });
});
