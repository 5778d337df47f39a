import type * as grpcJs from "@grpc/grpc-js";
import { answerAsServer } from "./answer.ts";
import { benchService, requirePeer } from "./grpc-package.ts";

const { loadPackageDefinition, Server, ServerCredentials } = requirePeer("@grpc/grpc-js") as typeof grpcJs;

// A message goes back as it came, so one handler does for all.
const echo: grpcJs.handleUnaryCall<unknown, unknown> = (call, callback) => callback(null, call.request);

answerAsServer(
  () =>
    new Promise((resolve, reject) => {
      const server = new Server();
      const { service } = benchService(loadPackageDefinition);
      server.addService(service, { Echo: echo, EchoOrder: echo, EchoBytes: echo });
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(error);
        else resolve(port);
      });
    }),
);
