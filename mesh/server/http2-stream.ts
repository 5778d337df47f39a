import type { Http2Session } from "node:http2";
import { windowBytes } from "../tunnel/limits.ts";

/** The part that is looked at of the HTTP/2 stream under a call. */
interface StreamUnderCall {
  readonly session?: Http2Session | undefined;
  readonly rstCode?: number;
}

/** The HTTP/2 stream under a call of grpc-js, which has no public way to it; undefined if it is no longer where it was. */
export function http2StreamOf(call: unknown): StreamUnderCall | undefined {
  return (call as { call?: { stream?: StreamUnderCall } }).call?.stream;
}

/** Lets the client of a session send more before it waits for us. grpc-js can be told so of its clients only. */
export function widenWindow(session: Http2Session): void {
  if (session.destroyed) return;
  session.settings({ initialWindowSize: windowBytes });
  session.setLocalWindowSize(windowBytes);
}
