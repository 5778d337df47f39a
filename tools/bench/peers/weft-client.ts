import { createClient } from "@connectrpc/connect";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { EchoService } from "../../../mesh/gen/weft/echo/v1/echo_pb.ts";
import { answerAsClient } from "./answer.ts";
import { echoText } from "./echo-method.ts";
import { openService } from "./weft-settings.ts";

const endpoints = new Map([["echo", [process.env.BENCH_ADDRESS ?? ""]]]);
const mesh = createMesh({ service: "bench", endpoints, ...(await openService("bench")) });
const client = createClient(EchoService, mesh.transport("echo"));

answerAsClient({
  async echo() {
    const { text } = await client.echo({ text: echoText });
    if (text !== echoText) throw new Error("another text came back");
  },
});
