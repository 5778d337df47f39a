import { Client, credentials } from "@grpc/grpc-js";
import { answerAsClient } from "./answer.ts";
import { createEchoRequest, echoMethod, echoText } from "./echo-method.ts";

const client = new Client(process.env.BENCH_ADDRESS ?? "", credentials.createInsecure());
const { path, requestSerialize, responseDeserialize } = echoMethod;

answerAsClient({
  echo: () =>
    new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, createEchoRequest(), (error, answer) => {
        if (error) reject(error);
        else if (answer?.text !== echoText) reject(new Error("another text came back"));
        else resolve();
      });
    }),
});
