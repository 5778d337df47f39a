import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import { ClientFrameSchema, ServerFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import {
  type CallFields,
  ClientFrameReader,
  writeCall,
  writeCancel,
  writeClientHello,
  writeMethod,
} from "./client-frame.ts";
import { FrameError } from "./frame-error.ts";
import { FrameWriter } from "./frame-writer.ts";
import {
  ServerFrameReader,
  writeAnswer,
  writeDraining,
  writeFailure,
  writePart,
  writeServerHello,
} from "./server-frame.ts";
import {
  anyClientFrame,
  anyServerFrame,
  type ClientFrame,
  ClientFrameCollector,
  flat,
  SecondHello,
  type ServerFrame,
  ServerFrameCollector,
} from "./testing.ts";

describe("frames of the client", () => {
  test("that we write are read by generated code", () => {
    const writer = new FrameWriter();
    fc.assert(
      fc.property(anyClientFrame, (frame) => {
        expect(fromBinary(ClientFrameSchema, writeClientFrame(writer, frame))).toEqual(frame);
      }),
    );
  });

  test("that generated code writes are read by us", () => {
    const reader = new ClientFrameReader();
    fc.assert(
      fc.property(anyClientFrame, (frame) => {
        expect(readClientFrame(reader, toBinary(ClientFrameSchema, frame))).toEqual(frame);
      }),
    );
  });

  test("whose bytes are changed are read as generated code reads them, or refused", () => {
    const reader = new ClientFrameReader();
    fc.assert(
      fc.property(anyClientFrame, changes, (frame, change) => {
        const bytes = change(toBinary(ClientFrameSchema, frame));
        const read = refusedOr(() => readClientFrame(reader, bytes));
        if (read === undefined) return;
        for (const call of read.calls) expect([0, 25]).toContain(call.trace.length);
        const expected = fromBinary(ClientFrameSchema, bytes);
        for (const call of expected.calls) if (call.trace.length !== 25) call.trace = new Uint8Array();
        expect(equals(ClientFrameSchema, read, expected)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("frames of the server", () => {
  test("that we write are read by generated code", () => {
    const writer = new FrameWriter();
    fc.assert(
      fc.property(anyServerFrame, (frame) => {
        expect(fromBinary(ServerFrameSchema, writeServerFrame(writer, frame))).toEqual(frame);
      }),
    );
  });

  test("that generated code writes are read by us", () => {
    const reader = new ServerFrameReader();
    fc.assert(
      fc.property(anyServerFrame, (frame) => {
        expect(readServerFrame(reader, toBinary(ServerFrameSchema, frame))).toEqual(frame);
      }),
    );
  });

  test("whose bytes are changed are read as generated code reads them, or refused", () => {
    const reader = new ServerFrameReader();
    fc.assert(
      fc.property(anyServerFrame, changes, (frame, change) => {
        const bytes = change(toBinary(ServerFrameSchema, frame));
        const read = refusedOr(() => readServerFrame(reader, bytes));
        if (read === undefined) return;
        expect(equals(ServerFrameSchema, read, fromBinary(ServerFrameSchema, bytes))).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("a frame", () => {
  test("of any bytes at all is read or refused", () => {
    const clients = new ClientFrameReader();
    const servers = new ServerFrameReader();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        refusedOr(() => readClientFrame(clients, bytes));
        refusedOr(() => readServerFrame(servers, bytes));
      }),
      { numRuns: 3_000 },
    );
  });

  test("with fields of a later release is read without them", () => {
    const call = new BinaryWriter().tag(1, WireType.Varint).uint32(7);
    later(call);
    call.tag(4, WireType.LengthDelimited).bytes(Buffer.from("hi"));
    const frame = new BinaryWriter();
    later(frame);
    frame.tag(3, WireType.LengthDelimited).bytes(call.finish());
    const read = readClientFrame(new ClientFrameReader(), frame.finish());
    expect(read.calls).toMatchObject([{ id: 7, message: new Uint8Array(Buffer.from("hi")) }]);
  });

  test.each<[string, number[], string]>([
    ["that claims a call longer than itself", [0x1a, 0x7f, 0x08, 1], "longer than what it is part of"],
    ["that claims 4 GiB", [0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f], "longer than what it is part of"],
    [
      "whose call claims a longer message than itself",
      [0x1a, 3, 0x22, 9, 1, 1, 1, 1],
      "longer than what it is part of",
    ],
    [
      "whose call ends in a number that goes on behind it",
      [0x1a, 2, 0x08, 0x80, 1, 1],
      "longer than what it is part of",
    ],
    ["that ends in a number", [0x20, 0x80], "ends in the middle of a number"],
    ["with a number of eleven bytes", [0x20, ...Array<number>(10).fill(0x80), 1], "more than 10 bytes"],
    ["with a tag that cut to 32 bits would be a call's", [0x9a, 0x80, 0x80, 0x80, 0x10, 0], "number above 2^29"],
    ["with a tag of six bytes", [0x9a, 0x80, 0x80, 0x80, 0x80, 0, 0], "number above 2^29"],
    ["with a field 0", [0x00, 1], "number 0"],
    ["with a known field of another type", [0x1d, 1, 2, 3, 4], "field 3 has the wrong type"],
    ["with a group", [0x7b, 0x7c], "unknown type"],
    ["with a path that is no ASCII", [0x12, 4, 0x12, 2, 0xc3, 0xa4], "other characters"],
    ["with metadata of an empty name", [0x1a, 2, 0x32, 0], "no name that metadata can have"],
    ["with metadata of upper case", [0x1a, 5, 0x32, 3, 0x0a, 1, 0x41], "no name that metadata can have"],
    ["with metadata that end a line", [0x1a, 8, 0x32, 6, 0x0a, 1, 0x61, 0x12, 1, 0x0a], "other characters"],
  ])("%s is refused", (_what, bytes, message) => {
    const read = () => readClientFrame(new ClientFrameReader(), Uint8Array.from(bytes));
    expect(read).toThrow(FrameError);
    expect(read).toThrow(message);
  });

  test("whose call has 40 KiB of metadata is refused", () => {
    const metadata = Array.from({ length: 40 }, () => ({ name: "x", value: "v".repeat(1_024) }));
    const bytes = toBinary(ClientFrameSchema, create(ClientFrameSchema, { calls: [{ metadata }] }));
    expect(() => readClientFrame(new ClientFrameReader(), bytes)).toThrow("beside its message");
  });
});

describe("metadata", () => {
  test.each([
    ["of upper case", ["Name", "x"], "no name"],
    ["without a name", ["", "x"], "no name"],
    ["with a line break", ["name", "x\n"], "other characters"],
    ["with an umlaut", ["name", "ä"], "other characters"],
    ["above 8 KiB", ["name", "x".repeat(8_192)], "above the limit"],
  ])("%s are refused before anything is written", (_what, metadata, message) => {
    const writer = new FrameWriter();
    expect(() => writeCall(writer, 1, 1, { ...plainCall, metadata })).toThrow(message);
    expect(() => writeAnswer(writer, 1, new Uint8Array(), metadata, undefined)).toThrow(message);
    expect(() => writeFailure(writer, 1, new Uint8Array([8, 1]), metadata)).toThrow(message);
    expect(writer.length).toBe(0);
  });
});

test("a frame that was taken is not written to again", () => {
  const writer = new FrameWriter();
  writeCall(writer, 1, 1, { ...plainCall, message: Buffer.from("first") });
  const first = writer.take();
  const before = Buffer.from(first);
  for (let count = 0; count < 100; count++) {
    writeCall(writer, 2, 2, { ...plainCall, message: new Uint8Array(2_000).fill(count) });
    if (count % 3 === 0) writer.take();
  }
  expect(first).toEqual(before);
});

const plainCall: CallFields = {
  timeoutMs: 0,
  message: new Uint8Array(),
  metadata: undefined,
  attempt: 0,
  criticality: 0,
  trace0: 0,
  trace1: 0,
  trace2: 0,
  trace3: 0,
  span0: 0,
  span1: 0,
  traceFlags: -1,
};

/** Ways to spoil bytes: changed, cut, repeated, mixed with others. */
const changes: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .record({
    flips: fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), { maxLength: 4 }),
    cut: fc.option(fc.nat()),
    more: fc.uint8Array({ maxLength: 8 }),
  })
  .map(({ flips, cut, more }) => (bytes) => {
    const changed = Uint8Array.from(bytes);
    for (const { at, to } of flips) if (changed.length > 0) changed[at % changed.length] = to;
    return Buffer.concat([cut === null ? changed : changed.subarray(0, cut % (changed.length + 1)), more]);
  });

function refusedOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FrameError || error instanceof SecondHello) return undefined;
    throw error;
  }
}

function later(writer: BinaryWriter): void {
  writer.tag(20, WireType.Varint).uint64(2n ** 63n);
  writer.tag(21, WireType.Bit64).fixed64(1n);
  writer.tag(22, WireType.LengthDelimited).bytes(Buffer.from("of a later release"));
  writer.tag(3_000, WireType.Bit32).fixed32(1);
}

function writeClientFrame(writer: FrameWriter, frame: ClientFrame): Uint8Array {
  if (frame.hello) writeClientHello(writer, frame.hello);
  for (const { number, path } of frame.methods) writeMethod(writer, number, path);
  for (const call of frame.calls)
    writeCall(writer, call.id, call.method, { ...call, ...wordsOf(call.trace), metadata: flat(call.metadata) });
  for (const id of frame.cancels) writeCancel(writer, id);
  return Uint8Array.from(writer.take());
}

function wordsOf(trace: Uint8Array) {
  const bytes = Buffer.from(trace);
  if (bytes.length === 0) return { trace0: 0, trace1: 0, trace2: 0, trace3: 0, span0: 0, span1: 0, traceFlags: -1 };
  const [trace0, trace1, trace2] = [bytes.readInt32BE(0), bytes.readInt32BE(4), bytes.readInt32BE(8)];
  const [trace3, span0, span1] = [bytes.readInt32BE(12), bytes.readInt32BE(16), bytes.readInt32BE(20)];
  return { trace0, trace1, trace2, trace3, span0, span1, traceFlags: bytes.readUInt8(24) };
}

function readClientFrame(reader: ClientFrameReader, bytes: Uint8Array): ClientFrame {
  const collector = new ClientFrameCollector();
  reader.read(Buffer.from(bytes), 0, collector);
  return collector.frame;
}

function writeServerFrame(writer: FrameWriter, frame: ServerFrame): Uint8Array {
  if (frame.hello) writeServerHello(writer, frame.hello);
  for (const { id, message, status, header, trailer, more } of frame.answers) {
    if (more) writePart(writer, id, message);
    else if (status) writeFailure(writer, id, toBinary(StatusSchema, status), flat(trailer));
    else writeAnswer(writer, id, message, flat(header), flat(trailer));
  }
  if (frame.draining) writeDraining(writer);
  return Uint8Array.from(writer.take());
}

function readServerFrame(reader: ServerFrameReader, bytes: Uint8Array): ServerFrame {
  const { frame, statuses } = collect(reader, bytes);
  for (const [index, status] of statuses.entries()) {
    const answer = frame.answers[index];
    if (status === undefined || answer === undefined) continue;
    // A session decodes the status of a call when it fails it; one that is none is INTERNAL there.
    try {
      answer.status = fromBinary(StatusSchema, status);
    } catch {
      throw new FrameError("no status");
    }
  }
  return frame;
}

function collect(reader: ServerFrameReader, bytes: Uint8Array): ServerFrameCollector {
  const collector = new ServerFrameCollector();
  reader.read(Buffer.from(bytes), 0, collector);
  return collector;
}
