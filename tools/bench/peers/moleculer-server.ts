import { freePort } from "../../dev/processes/ports.ts";
import { answerAsServer } from "./answer.ts";
import { createBroker } from "./moleculer.ts";

const echo = ({ params }: { params: object }): object => params;

answerAsServer(async () => {
  const port = await freePort();
  const broker = createBroker("bench-server", { port });
  broker.createService({ name: "bench", actions: { echo, echoOrder: echo, echoBytes: echo } });
  await broker.start();
  return port;
});
