import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import { type CallSchema, ClientFrameSchema, ServerFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import type { ClientFrameVisitor, ReadCall } from "./client-frame.ts";
import type { ReadAnswer, ServerFrameVisitor } from "./server-frame.ts";

export type ClientFrame = MessageShape<typeof ClientFrameSchema>;
export type ServerFrame = MessageShape<typeof ServerFrameSchema>;

const uint32 = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 70 }),
  fc.uint8Array({ minLength: 120, maxLength: 300, size: "max" }),
);
const entry = fc.record({
  name: fc.stringMatching(/^[a-z0-9._-]{1,20}$/),
  value: fc.stringMatching(/^[ -~]{0,150}$/),
});
const entries = fc.array(entry, { maxLength: 4 });
const trace = fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ minLength: 25, maxLength: 25 }));

const call: fc.Arbitrary<MessageInitShape<typeof CallSchema>> = fc.record({
  id: uint32,
  method: uint32,
  timeoutMs: uint32,
  message: bytes,
  trace,
  metadata: entries,
  attempt: uint32,
  criticality: fc.constantFrom(0, 1, 2, 3),
});

/** Any frame of a client. */
export const anyClientFrame: fc.Arbitrary<ClientFrame> = fc
  .record(
    {
      hello: fc.record({ versionMin: uint32, versionMax: uint32, features: uint32, answerBytesMax: uint32 }),
      methods: fc.array(fc.record({ number: uint32, path: fc.stringMatching(/^[A-Za-z0-9_./]{0,80}$/) })),
      calls: fc.array(call),
      cancels: fc.array(uint32),
    },
    { requiredKeys: ["methods", "calls", "cancels"] },
  )
  .map((frame) => create(ClientFrameSchema, frame));

const status = fc.record({ code: fc.integer({ min: 1, max: 16 }), message: fc.string({ unit: "grapheme" }) });

/** Any frame of a server. */
export const anyServerFrame: fc.Arbitrary<ServerFrame> = fc
  .record(
    {
      hello: fc.record({
        version: uint32,
        features: uint32,
        callsMax: uint32,
        requestBytesMax: uint32,
        messageBytesMax: uint32,
        methodsMax: uint32,
      }),
      answers: fc.array(
        fc.oneof(
          fc.record({ id: uint32, message: bytes, header: entries, trailer: entries }),
          fc.record({ id: uint32, message: bytes, more: fc.constant(true) }),
          fc.record({ id: uint32, status: status.map((init) => create(StatusSchema, init)), trailer: entries }),
        ),
      ),
      draining: fc.boolean(),
    },
    { requiredKeys: ["answers", "draining"] },
  )
  .map((frame) => create(ServerFrameSchema, frame));

/** Collects what a reader tells of a client's frames, as the generated code has it. A second hello it refuses, as a session does. */
export class ClientFrameCollector implements ClientFrameVisitor {
  readonly frame: ClientFrame = create(ClientFrameSchema);

  hello(hello: Parameters<ClientFrameVisitor["hello"]>[0]): void {
    if (this.frame.hello) throw new SecondHello();
    this.frame.hello = create(ClientFrameSchema, { hello }).hello;
  }
  method(number: number, path: string): void {
    this.frame.methods.push(...create(ClientFrameSchema, { methods: [{ number, path }] }).methods);
  }
  call(read: ReadCall): void {
    const { id, method, timeoutMs, attempt, criticality } = read;
    const fields = {
      id,
      method,
      timeoutMs,
      attempt,
      criticality,
      trace: traceOf(read),
      metadata: pairs(read.metadata),
    };
    const message = Uint8Array.from(read.message);
    this.frame.calls.push(...create(ClientFrameSchema, { calls: [{ ...fields, message }] }).calls);
  }
  cancel(id: number): void {
    this.frame.cancels.push(id);
  }
}

/** A frame has two hellos, which protobuf would merge. */
export class SecondHello extends Error {}

/** What a reader tells of a server's frames; statuses still encoded. */
export class ServerFrameCollector implements ServerFrameVisitor {
  readonly frame: ServerFrame = create(ServerFrameSchema);
  readonly statuses: (Uint8Array | undefined)[] = [];

  hello(hello: Parameters<ServerFrameVisitor["hello"]>[0]): void {
    if (this.frame.hello) throw new SecondHello();
    this.frame.hello = create(ServerFrameSchema, { hello }).hello;
  }
  answer(read: ReadAnswer): void {
    const { id, more } = read;
    const fields = { id, more, header: pairs(read.header), trailer: pairs(read.trailer) };
    const message = Uint8Array.from(read.message);
    this.frame.answers.push(...create(ServerFrameSchema, { answers: [{ ...fields, message }] }).answers);
    this.statuses.push(read.status && Uint8Array.from(read.status));
  }
  draining(): void {
    this.frame.draining = true;
  }
}

/** Metadata as names and values in turn. */
export function flat(list: readonly { readonly name: string; readonly value: string }[]): string[] | undefined {
  return list.length === 0 ? undefined : list.flatMap(({ name, value }) => [name, value]);
}

function pairs(list: readonly string[] | undefined): { name: string; value: string }[] {
  const found: { name: string; value: string }[] = [];
  for (let index = 0; index < (list?.length ?? 0); index += 2) {
    found.push({ name: list?.[index] ?? "", value: list?.[index + 1] ?? "" });
  }
  return found;
}

function traceOf(call: ReadCall): Uint8Array {
  if (call.traceFlags < 0) return new Uint8Array();
  const bytes = Buffer.alloc(25);
  const words = [call.trace0, call.trace1, call.trace2, call.trace3, call.span0, call.span1];
  for (const [index, word] of words.entries()) bytes.writeInt32BE(word, index * 4);
  bytes[24] = call.traceFlags;
  return Uint8Array.from(bytes);
}
