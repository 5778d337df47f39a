import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { askUntilAnswered } from "./shopper.ts";

function options() {
  let nowMs = 0;
  return {
    budgetMs: 1_000,
    random: () => 1,
    now: () => nowMs,
    pause: async (ms: number) => {
      nowMs += ms;
    },
  };
}

const failing = (...codes: Code[]) => {
  const left = [...codes];
  return async () => {
    const code = left.shift();
    if (code !== undefined) throw new ConnectError("away", code);
    return "answer";
  };
};

test("a client asks again until it is answered", async () => {
  const found = await askUntilAnswered(failing(Code.Unavailable, Code.Aborted), options());
  expect(found).toEqual({ outcome: "ok", answer: "answer", attempts: 3 });
});

test("a refusal is an answer", async () => {
  const found = await askUntilAnswered(failing(Code.Unavailable, Code.FailedPrecondition), options());
  expect(found).toEqual({ outcome: "refused", code: "FailedPrecondition", attempts: 2 });
});

test("what nobody answers within the budget is unknown", async () => {
  const found = await askUntilAnswered(failing(...Array<Code>(10).fill(Code.DeadlineExceeded)), options());
  expect(found).toEqual({ outcome: "unknown", code: "DeadlineExceeded", attempts: 3 });
});
