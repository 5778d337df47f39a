import { expect, test } from "vitest";
import { createKillPoints, type KillPoint } from "./kill-points.ts";

function points() {
  const done: string[] = [];
  const made = createKillPoints({
    ...{ service: "order", pid: 7, now: () => 1 },
    report: ({ action, at }) => done.push(`reported ${action} at ${at}`),
    signal: (signal) => done.push(signal),
    failure: (statement) => new Error(`${statement} failed`),
    pause: async (ms) => void done.push(`paused ${ms}`),
  });
  return { ...made, done };
}

const point = (more: Partial<KillPoint> = {}): KillPoint => ({
  ...{ when: "before", statement: "order.append.commit", nth: 1, action: "kill" },
  ...more,
});

test("a point that is reached is reported before its action, once", async () => {
  const { hook, arm, done, armed } = points();
  arm(point());
  await hook("before", "order.insertEvent");
  await hook("after", "order.append.commit");
  expect(done).toEqual([]);
  await hook("before", "order.append.commit");
  await hook("before", "order.append.commit");
  expect(done).toEqual(["reported kill at order.append.commit", "SIGKILL"]);
  expect(armed()).toEqual([]);
});

test("the nth is counted from its arming on, of one statement or of any", async () => {
  const { hook, arm, done } = points();
  await hook("before", "a");
  arm(point({ statement: "a", nth: 2, action: "freeze" }));
  arm(point({ statement: "*", nth: 3, action: "hold", holdMs: 5 }));
  for (const name of ["a", "b", "c"]) await hook("before", name);
  await hook("before", "a");
  expect(done).toEqual(["reported hold at c", "paused 5", "reported freeze at a", "SIGSTOP"]);
});

test("a statement that is to fail fails", async () => {
  const { hook, arm } = points();
  arm(point({ action: "throw" }));
  expect(() => hook("before", "order.append.commit")).toThrow("order.append.commit failed");
});

test("what is taken back is not reached", async () => {
  const { hook, arm, disarm, done } = points();
  arm(point());
  disarm();
  await hook("before", "order.append.commit");
  expect(done).toEqual([]);
});
