import { type AddressInfo, createServer } from "node:net";
import { answerAsServer } from "./answer.ts";
import { createFrameReader, createFrameWriter } from "./tcp-frames.ts";

answerAsServer(async () => {
  const server = createServer({ noDelay: true }, (socket) => {
    const answer = createFrameWriter((bytes) => socket.write(bytes));
    socket.on(
      "data",
      createFrameReader((bytes, at) => answer(bytes.readUInt32LE(at))),
    );
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
});
