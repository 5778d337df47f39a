import { runLoad } from "../load.ts";
import type { Answer, Question } from "../peer-process.ts";
import { createProfiler } from "./profiler.ts";

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
  const profiler = createProfiler();
  const replyToAll = async (question: Question): Promise<Answer> => {
    switch (question.kind) {
      case "cpu":
        return cpuTime();
      case "profile":
        await profiler.start();
        return { done: true };
      case "profiled":
        await profiler.stop(question.file);
        return { done: true };
      default:
        return await reply(question);
    }
  };
  const send = (message: Answer): void => void process.send?.(message);
  process.on("message", (question: Question) => {
    replyToAll(question).then(send, (error: unknown) => send({ failure: String(error) }));
  });
  // Also how it ends when the bench itself is killed.
  process.on("disconnect", () => process.exit());
}

function cpuTime(): Answer {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000 };
}
