import { runLoad } from "../load.ts";
import type { Answer, Question } from "../peer-process.ts";

/** Answers the bench as a server: where it listens. */
export function answerAsServer(start: () => Promise<number>): void {
  answer(async () => ({ port: await start() }));
}

/** Answers the bench as a client: by making load with the given call. */
export function answerAsClient(call: () => Promise<unknown>): void {
  answer((question) => {
    if (question.kind !== "load") throw new Error("a client makes load and nothing else");
    return runLoad(call, question);
  });
}

function answer(reply: (question: Question) => Promise<Answer>): void {
  const send = (message: Answer): void => void process.send?.(message);
  process.on("message", (question: Question) => {
    const answered = question.kind === "cpu" ? Promise.resolve(cpuTime()) : reply(question);
    answered.then(send, (error: unknown) => send({ failure: String(error) }));
  });
  // Also how it ends when the bench itself is killed.
  process.on("disconnect", () => process.exit());
}

function cpuTime(): Answer {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000 };
}
