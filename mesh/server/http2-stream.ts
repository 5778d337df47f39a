import type { Http2Session } from "node:http2";

/** The part that is looked at of the HTTP/2 stream under a call. */
interface StreamUnderCall {
  readonly session?: Http2Session | undefined;
  readonly rstCode?: number;
}

/** The HTTP/2 stream under a call of grpc-js, which has no public way to it; undefined if it is no longer where it was. */
export function http2StreamOf(call: unknown): StreamUnderCall | undefined {
  return (call as { call?: { stream?: StreamUnderCall } }).call?.stream;
}
