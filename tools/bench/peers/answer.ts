import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { runLoad } from "../load.ts";
import type { Answer, Question } from "../peer-process.ts";
import { type BenchAnswer, checkAnswer, type WorkloadName } from "../workloads.ts";
import { createProfiler } from "./profiler.ts";

/** The calls that a client can make, by what they carry. */
export type BenchCalls = Partial<Readonly<Record<WorkloadName, () => Promise<BenchAnswer>>>>;

/** What a process counts of the calls that go through it, by what is counted. */
export type ReadCounts = () => Promise<Readonly<Record<string, number>>>;

/** Answers the bench as a server: where it listens. */
export function answerAsServer(start: () => Promise<number>, readCounts?: ReadCounts): void {
  answer(async () => ({ port: await start() }), readCounts);
}

/** Answers the bench as a client: by making load with the call of that workload, whose answers are checked. */
export function answerAsBenchClient(calls: BenchCalls, readCounts?: ReadCounts): void {
  let made = 0;
  answer(
    async (question) => {
      const name = question.kind === "load" ? (question.workload as WorkloadName) : undefined;
      const call = name && calls[name];
      if (question.kind !== "load" || !call) throw new Error("a client makes the load that it knows");
      const result = await runLoad(call, question, (answered) => checkAnswer(name, answered));
      made += result.calls;
      return result;
    },
    async () => ({ calls: made, ...(await readCounts?.()) }),
  );
}

/** Answers the bench as a client whose calls look at their answers themselves. */
export function answerAsClient(calls: Readonly<Record<string, () => Promise<unknown>>>): void {
  answer((question) => {
    const call = question.kind === "load" ? calls[question.workload] : undefined;
    if (question.kind !== "load" || call === undefined) throw new Error("a client makes the load that it knows");
    return runLoad(call, question);
  });
}

function answer(reply: (question: Question) => Promise<Answer>, readCounts: ReadCounts = async () => ({})): void {
  const profiler = createProfiler();
  const replyToAll = async (question: Question): Promise<Answer> => {
    switch (question.kind) {
      case "cpu":
        return cpuTime();
      case "counts":
        return { counts: await readCounts() };
      case "memory":
        return memory();
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

function memory(): Answer {
  // The flag makes gc() part of contexts made after it.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // What only finalizers of the first let go of falls to the second.
  collect();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heldBytes: heapUsed + external, residentBytes: rss };
}

function cpuTime(): Answer {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000 };
}
