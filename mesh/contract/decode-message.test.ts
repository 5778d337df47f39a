import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { type ServerFrame, ServerFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { createMessageDecoder, type DecodeMessage } from "./decode-message.ts";
import { anyMessage, anyTypes } from "./testing-messages.ts";

/** What decoding gives, or that it fails. */
function outcome(decode: DecodeMessage, bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    return String(error);
  }
}

/** Ways to damage bytes, and to make of them what other encoders might have sent. */
const changes = fc.record({
  flips: fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), { maxLength: 3 }),
  cut: fc.option(fc.nat()),
  twice: fc.boolean(),
  more: fc.uint8Array({ maxLength: 5 }),
});

describe.each(anyTypes)("%s", (_name, schema) => {
  const decode = createMessageDecoder(schema);

  test("is decoded as generated code does it", () => {
    fc.assert(
      fc.property(anyMessage(schema), (any) => {
        const bytes = toBinary(schema, any);
        expect(decode(bytes)).toEqual(fromBinary(schema, bytes));
      }),
      { numRuns: 200 },
    );
  });

  test("whatever the bytes are: the same message, or the same error", () => {
    fc.assert(
      fc.property(anyMessage(schema), changes, (any, { flips, cut, twice, more }) => {
        const bytes = toBinary(schema, any);
        for (const { at, to } of flips) if (bytes.length > 0) bytes[at % bytes.length] = to;
        const kept = cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
        const given = Buffer.concat(twice ? [kept, kept, more] : [kept, more]);
        expect(outcome(decode, given)).toEqual(outcome((all) => fromBinary(schema, all), given));
      }),
      { numRuns: 500 },
    );
  });
});

test.each([
  ["text that is no UTF-8", Buffer.from([0x0a, 0x02, 0xc3, 0x28])],
  ["a long text that is none", Buffer.from([0x0a, 0x28, ...new Array(39).fill(0x61), 0xff])],
  ["text with the character that stands for what cannot be read", Buffer.from([0x0a, 0x03, 0xef, 0xbf, 0xbd])],
  ["text that begins with a byte-order mark", Buffer.from([0x0a, 0x04, 0xef, 0xbb, 0xbf, 0x61])],
  ["a length beyond the end", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
  ["a field that is not known", Buffer.from([0x0a, 0x01, 0x61, 0x78, 0x05])],
  ["a negative number", Buffer.from([0x12, 0x0b, 0x10, ...new Array(9).fill(0xff), 0x01])],
  ["a number that is longer than it need be", Buffer.from([0x12, 0x04, 0x10, 0x81, 0x80, 0x00])],
  ["a number of more than 64 bits", Buffer.from([0x12, 0x0b, 0x08, ...new Array(9).fill(0xff), 0x7f])],
  ["a part that comes in two pieces", Buffer.from([0x12, 0x02, 0x08, 0x01, 0x12, 0x02, 0x10, 0x02])],
])("%s", (_what, bytes) => {
  const expected = outcome((all) => fromBinary(EchoRequestSchema, all), bytes);
  expect(outcome(createMessageDecoder(EchoRequestSchema), bytes)).toEqual(expected);
});

test("each message has lists and cases of its own", () => {
  const decode = createMessageDecoder(ServerFrameSchema);
  const [first, second] = [decode(new Uint8Array()), decode(new Uint8Array())] as ServerFrame[];
  expect(first).toEqual(create(ServerFrameSchema));
  expect(first?.answers).not.toBe(second?.answers);
});

test("ordinary bytes are not left to generated code", () => {
  const any = create(EchoRequestSchema, { text: "hello world", delay: { seconds: 1n } });
  const spy = vi.spyOn(TextDecoder.prototype, "decode");
  const bytes = toBinary(EchoRequestSchema, { ...any, text: "é".repeat(50) });
  expect(createMessageDecoder(EchoRequestSchema)(bytes)).toMatchObject({ text: "é".repeat(50) });
  expect(spy).not.toHaveBeenCalled();
  fromBinary(EchoRequestSchema, bytes);
  expect(spy).toHaveBeenCalled();
  spy.mockRestore();
});
