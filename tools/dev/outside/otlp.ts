import { BinaryReader, type WireType } from "@bufbuild/protobuf/wire";

/** A span as the receiver tells it; field names as in its JSON. */
export interface ReceivedSpan {
  /** Lower-case hex, 32 digits. */
  readonly trace_id: string;
  /** Lower-case hex, 16 digits. */
  readonly span_id: string;
  /** Empty for a root. */
  readonly parent_span_id: string;
  readonly name: string;
  readonly kind: "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";
  /** The resource's `service.name`. */
  readonly service: string;
  /** Nanoseconds since the epoch, decimal: they do not fit into a number. */
  readonly start_ns: string;
  readonly end_ns: string;
  readonly status_code: "unset" | "ok" | "error";
  readonly status_message: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly links: readonly { readonly trace_id: string; readonly span_id: string }[];
}

export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const STATUSES = ["unset", "ok", "error"] as const;
const DEPTH_MAX = 16;

/**
 * Decodes an ExportTraceServiceRequest (opentelemetry-proto, collector/trace/v1). Read by field number, so that a dozen fields
 * need no generated code; unknown ones are skipped. Throws on bytes that are no protobuf.
 */
export function decodeTraces(bytes: Uint8Array): ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  fields(bytes, {
    1: (reader) => {
      const resourceSpans = reader.bytes();
      let service = "unknown";
      fields(resourceSpans, {
        1: (r) => {
          const { attributes } = decodeResource(r.bytes());
          service = String(attributes["service.name"] ?? service);
        },
      });
      fields(resourceSpans, { 2: (r) => fields(r.bytes(), { 2: (s) => spans.push(decodeSpan(s.bytes(), service)) }) });
    },
  });
  return spans;
}

type FieldReaders = Readonly<Record<number, (reader: BinaryReader) => unknown>>;

function fields(bytes: Uint8Array, readers: FieldReaders): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const read = readers[number];
    if (read) read(reader);
    else reader.skip(wireType satisfies WireType, number);
  }
}

function decodeResource(bytes: Uint8Array): { attributes: Record<string, AttributeValue> } {
  const attributes: Record<string, AttributeValue> = {};
  fields(bytes, { 1: (r) => keyValue(r.bytes(), attributes, 0) });
  return { attributes };
}

function decodeSpan(bytes: Uint8Array, service: string): ReceivedSpan {
  const attributes: Record<string, AttributeValue> = {};
  const links: { trace_id: string; span_id: string }[] = [];
  const span = { trace_id: "", span_id: "", parent_span_id: "", name: "", start_ns: "0", end_ns: "0" };
  let kind = 0;
  let status = { code: 0, message: "" };
  fields(bytes, {
    1: (r) => {
      span.trace_id = hex(r.bytes());
    },
    2: (r) => {
      span.span_id = hex(r.bytes());
    },
    4: (r) => {
      span.parent_span_id = hex(r.bytes());
    },
    5: (r) => {
      span.name = r.string();
    },
    6: (r) => {
      kind = r.int32();
    },
    7: (r) => {
      span.start_ns = String(r.fixed64());
    },
    8: (r) => {
      span.end_ns = String(r.fixed64());
    },
    9: (r) => keyValue(r.bytes(), attributes, 0),
    13: (r) => links.push(decodeLink(r.bytes())),
    15: (r) => {
      status = decodeStatus(r.bytes());
    },
  });
  return {
    ...span,
    kind: KINDS[kind] ?? "unspecified",
    service,
    status_code: STATUSES[status.code] ?? "unset",
    status_message: status.message,
    attributes,
    links,
  };
}

function decodeLink(bytes: Uint8Array): { trace_id: string; span_id: string } {
  const link = { trace_id: "", span_id: "" };
  fields(bytes, {
    1: (r) => {
      link.trace_id = hex(r.bytes());
    },
    2: (r) => {
      link.span_id = hex(r.bytes());
    },
  });
  return link;
}

function decodeStatus(bytes: Uint8Array): { code: number; message: string } {
  const status = { code: 0, message: "" };
  fields(bytes, {
    2: (r) => {
      status.message = r.string();
    },
    3: (r) => {
      status.code = r.int32();
    },
  });
  return status;
}

function keyValue(bytes: Uint8Array, into: Record<string, AttributeValue>, depth: number): void {
  let key = "";
  let value: AttributeValue = null;
  fields(bytes, {
    1: (r) => {
      key = r.string();
    },
    2: (r) => {
      value = anyValue(r.bytes(), depth);
    },
  });
  into[key] = value;
}

function anyValue(bytes: Uint8Array, depth: number): AttributeValue {
  if (depth > DEPTH_MAX) throw new Error(`an attribute is nested deeper than ${DEPTH_MAX}`);
  let value: AttributeValue = null;
  const set = (read: (r: BinaryReader) => AttributeValue) => (r: BinaryReader) => {
    value = read(r);
  };
  fields(bytes, {
    1: set((r) => r.string()),
    2: set((r) => r.bool()),
    3: set((r) => integer(r.int64())),
    4: set((r) => r.double()),
    5: set((r) => {
      const list: AttributeValue[] = [];
      fields(r.bytes(), { 1: (item) => list.push(anyValue(item.bytes(), depth + 1)) });
      return list;
    }),
    6: set((r) => {
      const map: Record<string, AttributeValue> = {};
      fields(r.bytes(), { 1: (item) => keyValue(item.bytes(), map, depth + 1) });
      return map;
    }),
    7: set((r) => Buffer.from(r.bytes()).toString("base64")),
  });
  return value;
}

/** An int64 as a number where that is exact, else as decimal text: JSON knows no other. */
function integer(value: bigint | string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
