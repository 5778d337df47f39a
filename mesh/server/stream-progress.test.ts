import { once } from "node:events";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { currentSignal, runAs } from "../context/call-context.ts";
import type { EventOperations, ReplayProgress } from "../contract/event-operations.ts";
import { EventService } from "../gen/weft/admin/v1/events_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { streamProgress } from "./stream-progress.ts";

describe("streamProgress()", () => {
  test("tells the latest while a step takes long, and at last the end", async () => {
    const ended = Promise.withResolvers<string>();
    const stream = streamProgress<string>((report) => {
      for (const word of ["one", "two", "three"]) report(word);
      return ended.promise;
    });
    expect(await stream.next()).toMatchObject({ value: { value: "three", isLast: false } });
    expect(await stream.next()).toMatchObject({ value: { value: "three", isLast: false } });
    ended.resolve("done");
    let last: unknown;
    for await (const told of stream) last = told;
    expect(last).toEqual({ value: "done", isLast: true });
  });

  test("throws what the work throws, also if it does at once", async () => {
    const stream = streamProgress<string>(() => Promise.reject(new Error("no")));
    await expect(stream.next()).rejects.toThrow("no");
  });

  test("cancels the work of whoever stops following, and waits until it has cleared up", async () => {
    const seen: string[] = [];
    const stream = streamProgress<string>(async (report) => {
      report("begun");
      await once(currentSignal() as AbortSignal, "abort");
      seen.push("cancelled");
      await Promise.resolve();
      seen.push("cleared up");
      throw new Error("cancelled");
    });
    await stream.next();
    await stream.return(undefined);
    expect(seen).toEqual(["cancelled", "cleared up"]);
  });

  test("ends with the call that it is in", async () => {
    const call = new AbortController();
    const next = runAs({ signal: call.signal }, () =>
      streamProgress<string>(async () => {
        await once(currentSignal() as AbortSignal, "abort");
        throw new Error("cancelled");
      }).next(),
    );
    call.abort();
    await expect(next).rejects.toThrow("cancelled");
  });
});

describe("over the wire", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("a caller who leaves stops the replay", async () => {
    const stopped = Promise.withResolvers<void>();
    const progress: ReplayProgress = { phase: "filling", done: 1, total: 2, eventsPerSecond: 1, rows: 1, removed: 0 };
    const events = {
      async replay(_name, _by, report) {
        report(progress);
        await once(currentSignal() as AbortSignal, "abort");
        stopped.resolve();
        throw new Error("stopped");
      },
    } satisfies Partial<EventOperations> as unknown as EventOperations;
    const audit = { audited: <T>(_action: string, _target: string, fn: () => Promise<T>) => fn() };
    await world.serve("shop", echoRoutes(), { operations: { audit, events } });
    const client = createClient(EventService, (await world.mesh("operator")).transport("shop"));
    const gone = new AbortController();
    const follow = async () => {
      for await (const { done } of client.replayProjection({ projection: "p" }, { signal: gone.signal })) {
        expect(done).toBe(1n);
        gone.abort();
      }
    };
    const error = await follow().then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.Canceled);
    await stopped.promise;
  });
});
