import { create } from "@bufbuild/protobuf";
import { type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { type EchoRequest, type EchoResponse, EchoResponseSchema } from "../../../mesh/gen/weft/echo/v1/echo_pb.ts";
import { answerAsServer } from "./answer.ts";
import { echoMethod } from "./echo-method.ts";

const echo: handleUnaryCall<EchoRequest, EchoResponse> = (call, callback) => {
  callback(null, create(EchoResponseSchema, { text: call.request.text }));
};

answerAsServer(
  () =>
    new Promise((resolve, reject) => {
      const server = new Server();
      server.addService({ echo: echoMethod }, { echo });
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(error);
        else resolve(port);
      });
    }),
);
