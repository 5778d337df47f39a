import { runLoad } from "../load.ts";
import type { Answer, Question } from "../peer-process.ts";

/** Answers the bench as a server: where it listens. */
export function answerAsServer(start: () => Promise<number>): void {
  answer(async () => ({ port: await start() }));
}

/** Answers the bench as a client: by making load with the call of that workload. */
export function answerAsClient(calls: Readonly<Record<string, () => Promise<unknown>>>): void {
  answer((question) => {
    const call = question.kind === "load" ? calls[question.workload] : undefined;
    if (question.kind !== "load" || call === undefined) throw new Error("a client makes the load that it knows");
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
