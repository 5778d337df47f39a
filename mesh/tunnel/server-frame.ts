import { type Entries, entriesSize, readEntry, writeEntries } from "./entries.ts";
import { FrameError } from "./frame-error.ts";
import { FrameReader } from "./frame-reader.ts";
import { type FrameWriter, fieldSize, numberSize, varintSize } from "./frame-writer.ts";

/** ServerHello of weft.tunnel.v1. */
export interface ServerHelloFields {
  version: number;
  features: number;
  callsMax: number;
  requestBytesMax: number;
  messageBytesMax: number;
  methodsMax: number;
}

/** An answer that was read. There is one for each reader: it is good until the next answer is read. */
export class ReadAnswer {
  id = 0;
  message: Uint8Array = none;
  /** An encoded google.rpc.Status; undefined: the call has succeeded. */
  status: Uint8Array | undefined;
  header: string[] | undefined;
  trailer: string[] | undefined;
  more = false;
  /** The message was put together of parts; set by whoever does that. */
  large = false;
  receivedAtMs = 0;
}

/** Told what is in a frame, in the frame's order. What it throws ends the reading. */
export interface ServerFrameVisitor {
  hello(hello: ServerHelloFields): void;
  answer(answer: ReadAnswer): void;
  draining(): void;
}

const none = new Uint8Array();

// Tags: the field's number * 8 + 0 for a number, 2 for what has a length.
const [helloTag, answerTag, drainingTag] = [0x0a, 0x12, 0x18];
const [versionTag, featuresTag, callsMaxTag, requestBytesMaxTag] = [0x08, 0x10, 0x18, 0x20];
const [messageBytesMaxTag, methodsMaxTag] = [0x28, 0x30];
const [idTag, messageTag, statusTag, headerTag, trailerTag, moreTag] = [0x08, 0x12, 0x1a, 0x22, 0x2a, 0x30];

/** Appends a hello. */
export function writeServerHello(writer: FrameWriter, hello: Readonly<ServerHelloFields>): void {
  const size =
    numberSize(hello.version) +
    numberSize(hello.features) +
    numberSize(hello.callsMax) +
    numberSize(hello.requestBytesMax) +
    numberSize(hello.messageBytesMax) +
    numberSize(hello.methodsMax);
  writer.reserve(2 + size);
  writer.byte(helloTag);
  writer.varint(size);
  writer.number(versionTag, hello.version);
  writer.number(featuresTag, hello.features);
  writer.number(callsMaxTag, hello.callsMax);
  writer.number(requestBytesMaxTag, hello.requestBytesMax);
  writer.number(messageBytesMaxTag, hello.messageBytesMax);
  writer.number(methodsMaxTag, hello.methodsMax);
}

/**
 * Appends the answer of a call that has succeeded, or the last part of it.
 *
 * @throws RangeError, before anything is written, if its metadata is none that gRPC could carry
 */
export function writeAnswer(
  writer: FrameWriter,
  id: number,
  message: Uint8Array,
  header: Entries | undefined,
  trailer: Entries | undefined,
): void {
  const size = numberSize(id) + fieldSize(message.length) + entriesSize(header) + entriesSize(trailer);
  writer.reserve(1 + varintSize(size) + size);
  writer.byte(answerTag);
  writer.varint(size);
  writer.number(idTag, id);
  writer.bytes(messageTag, message);
  writeEntries(writer, headerTag, header);
  writeEntries(writer, trailerTag, trailer);
}

/** Appends a part of an answer that is not the last. */
export function writePart(writer: FrameWriter, id: number, part: Uint8Array): void {
  const size = numberSize(id) + fieldSize(part.length) + 2;
  writer.reserve(1 + varintSize(size) + size);
  writer.byte(answerTag);
  writer.varint(size);
  writer.number(idTag, id);
  writer.bytes(messageTag, part);
  writer.number(moreTag, 1);
}

/**
 * Appends the answer of a call that has failed.
 *
 * @param status an encoded google.rpc.Status
 * @throws RangeError, before anything is written, if its metadata is none that gRPC could carry
 */
export function writeFailure(writer: FrameWriter, id: number, status: Uint8Array, trailer: Entries | undefined): void {
  const size = numberSize(id) + fieldSize(status.length) + entriesSize(trailer);
  writer.reserve(1 + varintSize(size) + size);
  writer.byte(answerTag);
  writer.varint(size);
  writer.number(idTag, id);
  writer.bytes(statusTag, status);
  writeEntries(writer, trailerTag, trailer);
}

/** Appends that the server wants no new calls. */
export function writeDraining(writer: FrameWriter): void {
  writer.reserve(2);
  writer.number(drainingTag, 1);
}

/** Protobuf would merge two; here one is all that there is to say. */
function readStatus(reader: FrameReader, within: number, before: Uint8Array | undefined): Uint8Array {
  if (before !== undefined) throw new FrameError("an answer has more than one status");
  return reader.bytesTo(reader.end(within));
}

/** Reads the frames of one server. */
export class ServerFrameReader {
  readonly #reader = new FrameReader();
  readonly #answer = new ReadAnswer();

  /** @throws FrameError if it is broken; what comes before the break has been told */
  read(frame: Buffer, receivedAtMs: number, visitor: ServerFrameVisitor): void {
    const reader = this.#reader;
    const end = frame.length;
    reader.open(frame);
    this.#answer.receivedAtMs = receivedAtMs;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === answerTag) visitor.answer(this.#readAnswer(reader.end(end)));
      else if (tag === helloTag) visitor.hello(this.#readHello(reader.end(end)));
      else if (tag !== drainingTag) reader.skip(tag, end, 3);
      else if (reader.boolean()) visitor.draining();
    }
    reader.closeAt(end);
  }

  #readAnswer(end: number): ReadAnswer {
    const reader = this.#reader;
    const answer = this.#answer;
    answer.id = 0;
    answer.message = none;
    answer.status = undefined;
    answer.header = undefined;
    answer.trailer = undefined;
    answer.more = false;
    answer.large = false;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === idTag) answer.id = reader.varint();
      else if (tag === messageTag) answer.message = reader.bytesTo(reader.end(end));
      else if (tag === statusTag) answer.status = readStatus(reader, end, answer.status);
      else if (tag === headerTag) answer.header = readEntry(reader, end, answer.header);
      else if (tag === trailerTag) answer.trailer = readEntry(reader, end, answer.trailer);
      else if (tag === moreTag) answer.more = reader.boolean();
      else reader.skip(tag, end, 6);
    }
    reader.closeAt(end);
    return answer;
  }

  #readHello(end: number): ServerHelloFields {
    const reader = this.#reader;
    const hello = { version: 0, features: 0, callsMax: 0, requestBytesMax: 0, messageBytesMax: 0, methodsMax: 0 };
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === versionTag) hello.version = reader.varint();
      else if (tag === featuresTag) hello.features = reader.varint();
      else if (tag === callsMaxTag) hello.callsMax = reader.varint();
      else if (tag === requestBytesMaxTag) hello.requestBytesMax = reader.varint();
      else if (tag === messageBytesMaxTag) hello.messageBytesMax = reader.varint();
      else if (tag === methodsMaxTag) hello.methodsMax = reader.varint();
      else reader.skip(tag, end, 6);
    }
    reader.closeAt(end);
    return hello;
  }
}
