import type { ConnectError } from "@connectrpc/connect";

/** What a tunnel lies on: a stream of frames in both directions, in order. A gRPC call, or a pair in memory. */
export interface TunnelStream {
  /** False: no more for now, `drained` tells when; the frame is sent all the same. A frame belongs to the stream from here on. */
  write(frame: Buffer): boolean;
  /** Frames that were written and have not left yet. */
  readonly waitingFrames: number;
  /** Ends our side. On the server with a status: none is OK. */
  end(error?: ConnectError): void;
  /** Cuts the stream off, both ways. */
  cut(): void;
  /** Stops frames from coming, as far as they are not on their way up; and lets them come again. */
  pause(): void;
  resume(): void;
  /** Says where frames go, once. Frames come after this only. */
  listen(listener: TunnelStreamListener): void;
}

export interface TunnelStreamListener {
  frame(frame: Buffer): void;
  drained(): void;
  /** The peer has ended its side. */
  ended(): void;
  /** The stream is over, both ways; told once, the last thing told. No error: as agreed. */
  closed(error: ConnectError | undefined): void;
}
