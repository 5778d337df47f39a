import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createClientLog, readClientLog } from "./client-log.ts";

test("a log tells what was asked, what was answered, and what waits", () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-log-"));
  try {
    const file = join(directory, "client.jsonl");
    using log = createClientLog(file, () => 7);
    log.mark("kill-order/1");
    const place = log.begin({ id: "1", kind: "placeOrder", key: "k", userId: "usr_1" });
    log.begin({ id: "2", kind: "cancelOrder", key: "", userId: "usr_1", orderId: "ord_0" });
    expect(log.inFlight()).toBe(2);
    place.end({ outcome: "ok", orderId: "ord_1", state: "CONFIRMED", attempts: 2 });
    expect(log.inFlight()).toBe(1);
    const common = { userId: "usr_1", startedMs: 7, fault: "kill-order/1" };
    const done = { endedMs: 7, outcome: "ok", orderId: "ord_1", state: "CONFIRMED", attempts: 2 };
    expect(log.operations()).toEqual([
      { id: "1", kind: "placeOrder", key: "k", ...common, ...done },
      { id: "2", kind: "cancelOrder", key: "", ...common, orderId: "ord_0", outcome: "unknown" },
    ]);
    expect(readClientLog(file)).toEqual(log.operations());
  } finally {
    rmSync(directory, { recursive: true });
  }
});
