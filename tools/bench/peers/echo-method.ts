import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import {
  type EchoRequest,
  EchoRequestSchema,
  type EchoResponse,
  EchoResponseSchema,
} from "../../../mesh/gen/weft/echo/v1/echo_pb.ts";

/** 11 bytes. */
export const echoText = "hello world";

/** The echo method for bare grpc-js, with the same generated messages that the mesh uses. */
export const echoMethod: MethodDefinition<EchoRequest, EchoResponse> = {
  path: "/weft.echo.v1.EchoService/Echo",
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => asBuffer(toBinary(EchoRequestSchema, message)),
  requestDeserialize: (bytes) => fromBinary(EchoRequestSchema, bytes),
  responseSerialize: (message) => asBuffer(toBinary(EchoResponseSchema, message)),
  responseDeserialize: (bytes) => fromBinary(EchoResponseSchema, bytes),
};

export function createEchoRequest(): EchoRequest {
  return create(EchoRequestSchema, { text: echoText });
}

/** grpc-js takes nothing but a Buffer; this does not copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
