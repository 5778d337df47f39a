import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { VerifyProgress } from "../contract/event-operations.ts";
import { insertRows } from "../data/insert-rows.ts";
import { migrate } from "../data/migrate.ts";
import { startTestDatabase } from "../data/testing.ts";
import { EventEnvelopeSchema } from "../gen/weft/v1/event_pb.ts";
import { encodeEvent } from "./envelope.ts";
import { eventMigrations } from "./migrations.ts";
import { createEventOperations } from "./operations.ts";
import { Happened } from "./testing-events.ts";
import type { EventTable } from "./verify.ts";

const resources = new AsyncDisposableStack();
let at: Awaited<ReturnType<typeof startTestDatabase>>;

beforeAll(async () => {
  at = resources.use(await startTestDatabase());
  await migrate({ ...at, component: "weft_events", directory: eventMigrations, logger: at.telemetry.logger });
});
afterAll(() => resources.disposeAsync());

function stored(eventId: string, change: { type?: string; payload?: Uint8Array; noTime?: true } = {}) {
  const { bytes } = encodeEvent(Happened, { thingId: "t", text: "x" }, { eventId, version: 1n, occurredAtMs: 1_000 });
  const envelope = fromBinary(EventEnvelopeSchema, bytes);
  const { noTime, ...rest } = change;
  const changed = create(EventEnvelopeSchema, { ...envelope, ...rest });
  if (noTime) changed.occurredAt = undefined;
  return [eventId, "s", changed.type, "t", 1, toBinary(EventEnvelopeSchema, changed), new Date()];
}

const columns = ["event_id", "subject", "type", "aggregate_id", "aggregate_version", "envelope", "created_at"];
const more: EventTable = {
  table: "more_events",
  async *pages() {
    yield [{ event: "m 1", type: "things.v1.Happened", payload: new Uint8Array() }];
    yield [{ event: "m 2", type: "things.v1.Happened", payload: new Uint8Array() }];
  },
  read({ event }) {
    if (event === "m 2") throw new Error("version 7 of its schema is not known");
  },
};

test("all stored events are read, page by page, and those that would lose something are told of", async () => {
  const sound = Array.from({ length: 1_200 }, (_, index) => stored(`sound-${index}`));
  const text = Buffer.from("\x12\x01x");
  await insertRows(at.database, "test.fill", { table: "weft_outbox", columns }, [
    ...sound,
    stored("unknown-field", { payload: Buffer.concat([text, Buffer.from([0x48, 1])]) }),
    stored("unknown-type", { type: "things.v1.Forgotten" }),
    stored("broken", { payload: Buffer.from([0x12, 0x7f, 1]) }),
    stored("no-time", { noTime: true }),
    ...[stored("mislabelled")].map(([id, subject, , ...rest]) => [
      id as string,
      subject as string,
      "things.v1.Ended",
      ...rest,
    ]),
  ] as Parameters<typeof insertRows>[3]);
  const told: VerifyProgress[] = [];
  const operations = createEventOperations({ database: at.database, tables: [more], files: [Happened.file] });
  const result = await operations.verify(100, (progress) =>
    told.push({ ...progress, problems: [...progress.problems] }),
  );
  expect(result).toMatchObject({ done: 1_207, total: 1_207, problemCount: 6 });
  expect(result.problems.map(({ table, event, problem }) => `${table} ${event}: ${problem}`)).toEqual([
    "more_events m 2: cannot be read: version 7 of its schema is not known",
    "weft_outbox unknown-field: has what nobody reads: things.v1.Happened field 9",
    "weft_outbox unknown-type: nobody here knows its type",
    expect.stringMatching(/^weft_outbox broken: cannot be read: /),
    "weft_outbox no-time: cannot be read: its envelope has no occurred_at",
    'weft_outbox mislabelled: cannot be read: its row says things.v1.Ended, its envelope "things.v1.Happened"',
  ]);
  expect(told.length).toBeGreaterThan(4);
  const few = await operations.verify(2, () => {});
  expect([few.problemCount, few.problems.length]).toEqual([6, 2]);
});
