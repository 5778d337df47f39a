import type { Criticality } from "../gen/weft/v1/options_pb.ts";
import { type Entries, entriesSize, readEntry, writeEntries } from "./entries.ts";
import { FrameError } from "./frame-error.ts";
import { FrameReader } from "./frame-reader.ts";
import { type FrameWriter, fieldSize, numberSize, varintSize } from "./frame-writer.ts";
import { metadataBytesMax } from "./limits.ts";
import type { TraceWords } from "./trace-words.ts";

/** ClientHello of weft.tunnel.v1. */
export interface ClientHelloFields {
  versionMin: number;
  versionMax: number;
  features: number;
  answerBytesMax: number;
}

/** What a call says of itself, of weft.tunnel.v1's Call. */
export interface CallFields extends TraceWords {
  readonly timeoutMs: number;
  readonly message: Uint8Array;
  readonly metadata: Entries | undefined;
  readonly attempt: number;
  readonly criticality: Criticality;
}

/** A call that was read. There is one for each reader: it is good until the next call is read. */
export class ReadCall implements CallFields {
  id = 0;
  method = 0;
  timeoutMs = 0;
  message: Uint8Array = none;
  trace0 = 0;
  trace1 = 0;
  trace2 = 0;
  trace3 = 0;
  span0 = 0;
  span1 = 0;
  traceFlags = -1;
  metadata: string[] | undefined;
  attempt = 0;
  criticality: Criticality = 0;
  receivedAtMs = 0;
}

/** Told what is in a frame, in the frame's order. What it throws ends the reading. */
export interface ClientFrameVisitor {
  hello(hello: ClientHelloFields): void;
  method(number: number, path: string): void;
  call(call: ReadCall): void;
  cancel(id: number): void;
}

const none = new Uint8Array();
/** Most that a call may have beside its message: the metadata, their framing, and fields to come. */
const callOverheadBytesMax = 4 * metadataBytesMax;
/** trace-id, parent-id, flags. */
const traceBytes = 25;

// Tags: the field's number * 8 + 0 for a number, 2 for what has a length.
const helloTag = 0x0a;
const methodTag = 0x12;
const callTag = 0x1a;
const cancelTag = 0x20;
const cancelsTag = 0x22;
const [versionMinTag, versionMaxTag, featuresTag, answerBytesMaxTag] = [0x08, 0x10, 0x18, 0x20];
const [methodNumberTag, methodPathTag] = [0x08, 0x12];
const [idTag, callMethodTag, timeoutTag, messageTag] = [0x08, 0x10, 0x18, 0x22];
const [traceTag, metadataTag, attemptTag, criticalityTag] = [0x2a, 0x32, 0x38, 0x40];

/** Appends a hello. */
export function writeClientHello(writer: FrameWriter, hello: Readonly<ClientHelloFields>): void {
  const size =
    numberSize(hello.versionMin) +
    numberSize(hello.versionMax) +
    numberSize(hello.features) +
    numberSize(hello.answerBytesMax);
  writer.reserve(2 + size);
  writer.byte(helloTag);
  writer.varint(size);
  writer.number(versionMinTag, hello.versionMin);
  writer.number(versionMaxTag, hello.versionMax);
  writer.number(featuresTag, hello.features);
  writer.number(answerBytesMaxTag, hello.answerBytesMax);
}

/** Appends a method's number. @param path of ASCII */
export function writeMethod(writer: FrameWriter, number: number, path: string): void {
  const size = numberSize(number) + fieldSize(path.length);
  writer.reserve(1 + varintSize(size) + size);
  writer.byte(methodTag);
  writer.varint(size);
  writer.number(methodNumberTag, number);
  writer.ascii(methodPathTag, path);
}

/** Appends a call. @throws RangeError, before anything is written, if its metadata is none that gRPC could carry */
export function writeCall(writer: FrameWriter, id: number, method: number, call: CallFields): void {
  const { timeoutMs, message, metadata, attempt, criticality } = call;
  const traced = call.traceFlags >= 0;
  const size =
    numberSize(id) +
    numberSize(method) +
    numberSize(timeoutMs) +
    fieldSize(message.length) +
    (traced ? 2 + traceBytes : 0) +
    entriesSize(metadata) +
    numberSize(attempt) +
    numberSize(criticality);
  writer.reserve(1 + varintSize(size) + size);
  writer.byte(callTag);
  writer.varint(size);
  writer.number(idTag, id);
  writer.number(callMethodTag, method);
  writer.number(timeoutTag, timeoutMs);
  writer.bytes(messageTag, message);
  if (traced) writeTrace(writer, call);
  writeEntries(writer, metadataTag, metadata);
  writer.number(attemptTag, attempt);
  writer.number(criticalityTag, criticality);
}

function writeTrace(writer: FrameWriter, trace: TraceWords): void {
  writer.byte(traceTag);
  writer.byte(traceBytes);
  writer.word(trace.trace0);
  writer.word(trace.trace1);
  writer.word(trace.trace2);
  writer.word(trace.trace3);
  writer.word(trace.span0);
  writer.word(trace.span1);
  writer.byte(trace.traceFlags);
}

/** Appends that nobody waits for a call any more. */
export function writeCancel(writer: FrameWriter, id: number): void {
  writer.reserve(1 + varintSize(id));
  writer.byte(cancelTag);
  writer.varint(id);
}

/** Reads the frames of one client. */
export class ClientFrameReader {
  readonly #reader = new FrameReader();
  readonly #call = new ReadCall();

  /** @throws FrameError if it is broken; what comes before the break has been told */
  read(frame: Buffer, receivedAtMs: number, visitor: ClientFrameVisitor): void {
    const reader = this.#reader;
    const end = frame.length;
    reader.open(frame);
    this.#call.receivedAtMs = receivedAtMs;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === callTag) visitor.call(this.#readCall(reader.end(end)));
      else if (tag === cancelTag) visitor.cancel(reader.varint());
      else if (tag === cancelsTag) this.#readCancels(reader.end(end), visitor);
      else if (tag === methodTag) this.#readMethod(reader.end(end), visitor);
      else if (tag === helloTag) visitor.hello(this.#readHello(reader.end(end)));
      else reader.skip(tag, end, 4);
    }
    reader.closeAt(end);
  }

  #readCall(end: number): ReadCall {
    const reader = this.#reader;
    const call = this.#call;
    call.id = 0;
    call.method = 0;
    call.timeoutMs = 0;
    call.message = none;
    call.traceFlags = -1;
    call.metadata = undefined;
    call.attempt = 0;
    call.criticality = 0;
    const start = reader.position;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === idTag) call.id = reader.varint();
      else if (tag === callMethodTag) call.method = reader.varint();
      else if (tag === timeoutTag) call.timeoutMs = reader.varint();
      else if (tag === messageTag) call.message = reader.bytesTo(reader.end(end));
      else if (tag === traceTag) this.#readTrace(reader.end(end));
      else if (tag === metadataTag) call.metadata = readEntry(reader, end, call.metadata);
      else if (tag === attemptTag) call.attempt = reader.varint();
      else if (tag === criticalityTag) call.criticality = (reader.varint() | 0) as Criticality;
      else reader.skip(tag, end, 8);
    }
    reader.closeAt(end);
    if (end - start - call.message.length > callOverheadBytesMax) {
      throw new FrameError(`a call has more than ${callOverheadBytesMax} bytes beside its message`);
    }
    return call;
  }

  #readTrace(end: number): void {
    const reader = this.#reader;
    const call = this.#call;
    if (end - reader.position !== traceBytes) {
      call.traceFlags = -1;
      reader.skipTo(end);
      return;
    }
    call.trace0 = reader.word();
    call.trace1 = reader.word();
    call.trace2 = reader.word();
    call.trace3 = reader.word();
    call.span0 = reader.word();
    call.span1 = reader.word();
    call.traceFlags = reader.byte();
  }

  #readCancels(end: number, visitor: ClientFrameVisitor): void {
    const reader = this.#reader;
    while (reader.position < end) visitor.cancel(reader.varint());
    reader.closeAt(end);
  }

  #readMethod(end: number, visitor: ClientFrameVisitor): void {
    const reader = this.#reader;
    let number = 0;
    let path = "";
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === methodNumberTag) number = reader.varint();
      else if (tag === methodPathTag) path = reader.asciiTo(reader.end(end), "a method's path");
      else reader.skip(tag, end, 2);
    }
    reader.closeAt(end);
    visitor.method(number, path);
  }

  #readHello(end: number): ClientHelloFields {
    const reader = this.#reader;
    const hello = { versionMin: 0, versionMax: 0, features: 0, answerBytesMax: 0 };
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === versionMinTag) hello.versionMin = reader.varint();
      else if (tag === versionMaxTag) hello.versionMax = reader.varint();
      else if (tag === featuresTag) hello.features = reader.varint();
      else if (tag === answerBytesMaxTag) hello.answerBytesMax = reader.varint();
      else reader.skip(tag, end, 4);
    }
    reader.closeAt(end);
    return hello;
  }
}
