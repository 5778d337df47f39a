import { once } from "node:events";
import { connect } from "node:net";
import { type BenchAnswer, echoText } from "../workloads.ts";
import { answerAsBenchClient } from "./answer.ts";

/** A call is 24 bytes, there and back: as long as a small frame of the tunnel. Answers come in the order of the calls. */
const callBytes = 24;

const [host, port] = (process.env.BENCH_ADDRESS ?? "").split(":");
const socket = connect({ host: host ?? "", port: Number(port), noDelay: true });
await once(socket, "connect");
const answer: BenchAnswer = { text: echoText };
const waiting: ((answer: BenchAnswer) => void)[] = [];
let unsent = 0;
let unreadBytes = 0;
const outbox = Buffer.alloc(64 * 1024, echoText);

// What is called in one turn of the event loop leaves in one write.
const flush = (): void => {
  socket.write(Buffer.from(outbox.subarray(0, unsent * callBytes)));
  unsent = 0;
};
socket.on("data", (chunk) => {
  unreadBytes += chunk.length;
  const answered = Math.floor(unreadBytes / callBytes);
  unreadBytes -= answered * callBytes;
  for (const resolve of waiting.splice(0, answered)) resolve(answer);
});

answerAsBenchClient({
  echo: () => {
    if (unsent++ === 0) setImmediate(flush);
    return new Promise((resolve) => waiting.push(resolve));
  },
});
