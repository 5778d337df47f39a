/** A call is 24 bytes there and back, as long as a small frame of the tunnel; its number comes first. */
export const frameBytes = 24;

/** Cuts what a socket receives into frames and hands on each. */
export function createFrameReader(onFrame: (bytes: Buffer, at: number) => void): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    const whole = bytes.length - (bytes.length % frameBytes);
    for (let at = 0; at < whole; at += frameBytes) onFrame(bytes, at);
    rest = whole === bytes.length ? undefined : bytes.subarray(whole);
  };
}

/** Collects the frames of one turn of the event loop, which leave in one write. */
export function createFrameWriter(write: (bytes: Buffer) => void): (number: number) => void {
  const outbox = Buffer.alloc(frameBytes * 1024, "weft");
  let length = 0;
  const flush = (): void => {
    write(Buffer.from(outbox.subarray(0, length)));
    length = 0;
  };
  return (number) => {
    if (length === 0) setImmediate(flush);
    outbox.writeUInt32LE(number, length);
    length += frameBytes;
  };
}
