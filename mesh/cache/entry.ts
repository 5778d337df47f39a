/** A value as it lies in Redis; undefined is the knowledge that there is none. */
export interface SharedEntry {
  readonly payload: Uint8Array | undefined;
  /** Epoch ms until which it is as good as loaded anew. */
  readonly freshUntilMs: number;
}

const colon = 0x3a;

/** "V" (a value) or "N" (there is none), the mark, when it ceases to be fresh, the value: `V<mark>:<ms>:<bytes>`. */
export function encodeEntry({ payload, freshUntilMs }: SharedEntry, mark: string): Buffer {
  const head = Buffer.from(`${payload === undefined ? "N" : "V"}${mark}:${Math.round(freshUntilMs)}:`);
  return payload === undefined ? head : Buffer.concat([head, payload]);
}

/** Undefined if it is no entry of this mark. */
export function readEntry(raw: Buffer, mark: string): SharedEntry | undefined {
  const start = 2 + mark.length;
  const end = raw.indexOf(colon, start);
  const freshUntilMs = Number(raw.toString("latin1", start, end));
  if (end < 0 || !Number.isFinite(freshUntilMs)) return undefined;
  return { payload: raw[0] === 0x56 ? raw.subarray(end + 1) : undefined, freshUntilMs };
}
