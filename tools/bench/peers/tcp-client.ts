import { once } from "node:events";
import { connect } from "node:net";
import { type BenchAnswer, echoText } from "../workloads.ts";
import { answerAsBenchClient } from "./answer.ts";
import { createFrameReader, createFrameWriter } from "./tcp-frames.ts";

const [host, port] = (process.env.BENCH_ADDRESS ?? "").split(":");
const socket = connect({ host: host ?? "", port: Number(port), noDelay: true });
await once(socket, "connect");
const answer: BenchAnswer = { text: echoText };
/** By the number of the call; far more than are in flight. */
const waiting = Array.from<((answer: BenchAnswer) => void) | undefined>({ length: 1024 });
let next = 0;

const send = createFrameWriter((bytes) => socket.write(bytes));
socket.on(
  "data",
  createFrameReader((bytes, at) => waiting[bytes.readUInt32LE(at)]?.(answer)),
);

answerAsBenchClient({
  echo: () => {
    const number = next;
    next = (next + 1) % waiting.length;
    send(number);
    return new Promise((resolve) => {
      waiting[number] = resolve;
    });
  },
});
