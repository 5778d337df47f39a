import { errorReason, systemClock } from "@weft/mesh/contract";
import { createDatabase, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { createMessageStore } from "./store.ts";

test("what became of a message is written only by the one who has its lease: the other may know less", async () => {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "notification", write: () => {} }));
  const schema = resources.use(await testDatabase("notification"));
  const database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "notification", directory, logger: telemetry.logger });
  await database.execute(
    "test.addMessage",
    `INSERT INTO messages (message_id, user_id, recipient, subject, body, state, created_at, next_attempt_at, attempts, lease_token)
     VALUES ('m', 'usr_1', 'ann@example.com', 's', 'b', 'QUEUED', NOW(3), NOW(3), 2, 2)`,
  );
  const deps = { database, clock: systemClock, onQueued: () => {}, traceparent: () => undefined };
  const { sending } = createMessageStore(deps);
  const reasonOf = async (work: Promise<void>) => errorReason(await work.catch((error) => error));
  expect(await reasonOf(sending.markFailed("m", "given up", 1n))).toBe("LEASE_LOST");
  expect(await reasonOf(sending.markSent("m", 1n))).toBe("LEASE_LOST");
  expect(await sending.get("m")).toMatchObject({ state: "QUEUED", failure: "" });
  await sending.markSent("m", 2n);
  expect(await sending.get("m")).toMatchObject({ state: "SENT" });
});
