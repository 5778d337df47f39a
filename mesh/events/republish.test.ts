import { connect } from "nats";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runAs } from "../context/call-context.ts";
import type { RepublishFilter } from "../contract/event-operations.ts";
import { createEventOperations } from "./operations.ts";
import type { Outbox } from "./outbox.ts";
import { nanoseconds } from "./streams.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Ended, Happened, streams } from "./testing-events.ts";

const resources = new AsyncDisposableStack();
let world: World;
let outbox: Outbox;

beforeAll(async () => {
  world = resources.use(await startWorld());
  outbox = world.outbox();
});
afterAll(() => resources.disposeAsync());
beforeEach(async () => {
  await eventually(async () => (await world.count("published_at IS NULL")) === 0);
  await world.database.execute("test.clear", "DELETE FROM weft_outbox");
  await world.database.execute("test.clearEffects", "DELETE FROM effects");
});

const everything: RepublishFilter = { since: undefined, until: undefined, subject: "", limit: 100_000, dryRun: false };
const republish = (filter: Partial<RepublishFilter>, report: (events: number) => void = () => {}) =>
  createEventOperations({ database: world.database, outbox }).republish({ ...everything, ...filter }, ({ events }) =>
    report(events),
  );

/** Events that were written and published a while ago. */
async function published(count: number, schema = Happened): Promise<void> {
  await world.database.transaction("test.append", async (tx) => {
    for (let index = 0; index < count; index += 1) {
      await outbox.append(tx, schema, { thingId: `t-${index}`, text: `text ${index}` });
    }
  });
  await eventually(async () => (await world.count("published_at IS NULL")) === 0);
}

/** Copies of events that a client of its own hears while work is done. */
async function heard(work: () => Promise<unknown>): Promise<string[]> {
  const client = await connect({ servers: world.nats.url });
  const subjects: string[] = [];
  const subscription = client.subscribe("things.>", { callback: (_, message) => void subjects.push(message.subject) });
  await client.flush();
  await work();
  await client.flush();
  subscription.unsubscribe();
  await client.close();
  return subjects;
}

describe("publishing again", () => {
  test("puts back what a broker has lost; who has handled it does nothing", async () => {
    world.consumer();
    await published(300);
    await eventually(async () => (await world.effects()).length === 300);
    await world.manager.streams.purge(streams.events.name);
    const told: number[] = [];
    const subjects = await heard(async () => {
      expect(await republish({}, (events) => told.push(events))).toEqual({ events: 300, more: false });
    });
    expect(subjects).toHaveLength(300);
    expect(told).toContain(250);
    expect(await world.count("published_at IS NULL")).toBe(0);
    // As if more than the two minutes had passed for which JetStream knows an id.
    await world.manager.streams.update(streams.events.name, { duplicate_window: nanoseconds(100) });
    await eventually(async () => {
      await republish({});
      return (await world.stored(streams.events.name)) >= 300;
    });
    await eventually(() => world.settled());
    expect(await world.effects()).toHaveLength(300);
  });

  test.each([
    ["a subject", { subject: "things.v1.Ended" }, 3],
    ["all that begin alike", { subject: "things.v1.>" }, 5],
    ["none that is called so", { subject: "things.v1.End" }, 0],
    ["those since a moment", { since: new Date("2026-03-02T00:00:00Z") }, 3],
    ["those before a moment", { until: new Date("2026-03-02T00:00:00Z") }, 2],
    ["those between two", { since: new Date("2026-03-03T00:00:00Z"), until: new Date("2027-01-01T00:00:00Z") }, 0],
  ])("takes %s; a dry run counts the same and changes nothing", async (_what, filter, events) => {
    await published(2);
    await world.database.execute("test.age", "UPDATE weft_outbox SET created_at = '2026-03-01 12:00:00'");
    await published(3, Ended);
    await world.database.execute(
      "test.ageOthers",
      "UPDATE weft_outbox SET created_at = '2026-03-02 12:00:00' WHERE subject = 'things.v1.Ended'",
    );
    const before = await world.database.query("test.outbox", "SELECT * FROM weft_outbox ORDER BY id");
    expect(
      await heard(async () => expect(await republish({ ...filter, dryRun: true })).toMatchObject({ events })),
    ).toEqual([]);
    expect(await world.database.query("test.outbox", "SELECT * FROM weft_outbox ORDER BY id")).toEqual(before);
    expect(await heard(async () => expect(await republish(filter)).toMatchObject({ events }))).toHaveLength(events);
  });

  test("stops at its limit and says that there are more", async () => {
    await published(5);
    expect(await republish({ limit: 3 })).toEqual({ events: 3, more: true });
    expect(await republish({ limit: 5 })).toEqual({ events: 5, more: false });
  });

  test("does not meet again what it has published itself, nor hold up for long what is committed meanwhile", async () => {
    await published(1_200);
    const subjects = await heard(async () => {
      let isLate = false;
      const result = await republish({}, (events) => {
        if (events < 500 || isLate) return;
        isLate = true;
        void world.database.transaction("test.late", async (tx) => {
          await outbox.append(tx, Ended, { thingId: "late", text: "late" });
        });
      });
      expect(result).toEqual({ events: 1_200, more: false });
    });
    const at = subjects.indexOf("things.v1.Ended");
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(1_100);
  });

  test("ends with its caller, and what was handed to the relay goes out", async () => {
    await published(600);
    const gone = new AbortController();
    const leave = (events: number) => events >= 250 && gone.abort();
    await expect(runAs({ signal: gone.signal }, () => republish({}, leave))).rejects.toThrow();
    await eventually(async () => (await world.count("published_at IS NULL")) === 0);
  });
});
