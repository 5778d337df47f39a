import type { ServerHttp2Stream } from "node:http2";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type ClientDuplexStream, Metadata, type ServerDuplexStream, type StatusObject } from "@grpc/grpc-js";
import { rpcError } from "../contract/errors.ts";
import { decodeStatus, encodeStatusDetails, statusDetailsKey, statusMessage } from "../contract/grpc-status.ts";
import { TunnelService } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import type { TunnelStream, TunnelStreamListener } from "./tunnel-stream.ts";

/** The method that carries tunnels: "/weft.tunnel.v1.TunnelService/Open". */
export const tunnelPath = `/${TunnelService.typeName}/${TunnelService.method.open.name}`;

/** The client's end of a call to tunnelPath, made with serializers that leave Buffers as they are. */
export function clientStream(call: ClientDuplexStream<Buffer, Buffer>): TunnelStream {
  let isCut = false;
  return {
    write: (frame) => call.write(frame),
    get waitingFrames() {
      return call.writableLength;
    },
    end: () => void call.end(),
    cut() {
      isCut = true;
      call.cancel();
    },
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    listen(listener) {
      call.on("drain", () => listener.drained());
      call.on("end", () => listener.ended());
      // Without a listener it would end the process; the status says the same.
      call.on("error", () => undefined);
      call.on("status", (status: StatusObject) => {
        if (status.code !== 0) listener.closed(toConnectError(status, isCut));
        // Frames may wait to be read.
        else if (call.readableEnded) listener.closed(undefined);
        else call.once("end", () => listener.closed(undefined));
      });
      call.on("data", (frame: Buffer) => listener.frame(frame));
    },
  };
}

/** The server's end of a call to tunnelPath. */
export function serverStream(call: ServerDuplexStream<Buffer, Buffer>): TunnelStream {
  let isOver = false;
  const over = (listener: TunnelStreamListener, error: ConnectError | undefined): void => {
    if (isOver) return;
    isOver = true;
    listener.closed(error);
  };
  return {
    write: (frame) => call.write(frame),
    get waitingFrames() {
      return call.writableLength;
    },
    end(error) {
      if (error === undefined) call.end();
      else call.emit("error", toServiceError(error));
    },
    // grpc-js has no way to do it: a status waits until all that was written is read.
    cut: () => http2StreamOf(call)?.close(http2Cancel),
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    listen(listener) {
      call.on("drain", () => listener.drained());
      call.on("end", () => listener.ended());
      call.on("cancelled", () => over(listener, rpcError(Code.Unavailable, "the client has left the tunnel")));
      call.on("finish", () => over(listener, undefined));
      call.on("data", (frame: Buffer) => listener.frame(frame));
    },
  };
}

/** NGHTTP2_CANCEL (RFC 9113, 7). */
const http2Cancel = 8;

function http2StreamOf(call: unknown): ServerHttp2Stream | undefined {
  return (call as { call?: { stream?: ServerHttp2Stream } }).call?.stream;
}

function toConnectError({ code, details, metadata }: StatusObject, isCut: boolean): ConnectError {
  // So grpc-js calls a stream that its peer, or something in between, has reset.
  if (Number(code) === Code.Canceled && !isCut) return rpcError(Code.Unavailable, "the tunnel was reset");
  const status = metadata.get(statusDetailsKey)[0];
  const known: Code = Code[code] === undefined ? Code.Unknown : Number(code);
  return decodeStatus(known, details, status instanceof Buffer ? status : undefined);
}

function toServiceError(error: ConnectError): Error & { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  const details = encodeStatusDetails(error);
  if (details) metadata.set(statusDetailsKey, Buffer.from(details));
  const message = statusMessage(error);
  return Object.assign(new Error(message), { code: error.code, details: message, metadata });
}
