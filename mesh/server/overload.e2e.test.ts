import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAs } from "../context/call-context.ts";
import type { Criticality } from "../contract/criticality.ts";
import { errorReason, overloadedReason, retryDelayMs } from "../contract/errors.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { createWorld, type World } from "../testing/world.ts";

/** What the server of mesh/testing/loaded-server.ts can do. */
const capacity = 80;
const tickMs = 10;

interface Outcome {
  readonly criticality: Criticality;
  /** Milliseconds after the load began. */
  readonly endedMs: number;
  readonly error?: ConnectError;
}

let world: World;
let server: ChildProcess;
let call: (criticality: Criticality, startedAt: number) => Promise<Outcome>;

async function start(way: "tunnel" | "grpc", kind: "waiting" | "computing"): Promise<void> {
  world = await createWorld();
  await world.credentials("echo");
  const program = new URL("../testing/loaded-server.ts", import.meta.url).pathname;
  server = spawn(process.execPath, [program, join(world.directory, "echo"), "test.local", kind], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (server.stdout === null) throw new Error("the server has no output");
  const ended = once(server, "exit").then(([code]) => Promise.reject(new Error(`the server has ended with ${code}`)));
  ended.catch(() => undefined);
  const [port] = await Promise.race([once(createInterface(server.stdout), "line"), ended]);
  const mesh = await world.mesh("caller", { echo: [`127.0.0.1:${port}`] });
  mesh.edge("echo").transport = way;
  const echo = createClient(EchoService, mesh.transport("echo"));
  call = async (criticality, startedAt) => {
    try {
      await runAs({ criticality }, () => echo.echo({ text: criticality }));
      return { criticality, endedMs: performance.now() - startedAt };
    } catch (error) {
      return { criticality, endedMs: performance.now() - startedAt, error: ConnectError.from(error) };
    }
  };
}

/** Calls at a steady pace, whatever becomes of them: a fifth critical, half default, the rest sheddable. */
async function load(perSecond: number, forMs: number): Promise<Outcome[]> {
  const kinds: Criticality[] = ["critical", "default", "sheddable", "default", "sheddable", "default", "sheddable"];
  const pattern = [...kinds, "critical", "default", "default"] as const;
  const calls: Promise<Outcome>[] = [];
  const startedAt = performance.now();
  for (let passed = 0; passed < forMs; passed = performance.now() - startedAt) {
    const due = (passed / 1000) * perSecond;
    while (calls.length < due) calls.push(call(pattern[calls.length % pattern.length] ?? "default", startedAt));
    await wait(tickMs);
  }
  return await Promise.all(calls);
}

const answered = (outcomes: readonly Outcome[], which?: Criticality): number =>
  outcomes.filter(({ error, criticality }) => error === undefined && criticality === (which ?? criticality)).length;

describe.each([
  ["tunnel", "waiting"],
  ["grpc", "waiting"],
  ["tunnel", "computing"],
] as const)("five times too much over %s for handlers that are %s", (way, kind) => {
  beforeEach(() => start(way, kind), 30_000);
  afterEach(async () => {
    server.stdin?.end();
    await once(server, "exit");
    await world[Symbol.asyncDispose]();
  });

  test("leaves goodput where it was, the critical first, and is over at once when load is", {
    timeout: 60_000,
  }, async () => {
    const peak = answered(await load(capacity, 3_000)) / 3;
    const seconds = 6;
    const overload = await load(5 * capacity, seconds * 1000);
    const refusals = overload.flatMap(({ error }) => (error ? [error] : []));
    // What is answered afterwards is not counted: it was left from before.
    const perSecond = answered(overload.filter(({ endedMs }) => endedMs <= seconds * 1000)) / seconds;
    const share = (which: Criticality): number =>
      answered(overload, which) / overload.filter(({ criticality }) => criticality === which).length;
    const after = await load(0.6 * capacity, 4_000);
    const lastSecond = after.slice(-Math.round(0.6 * capacity));
    console.log(
      `${way}, ${kind}: peak ${peak.toFixed()}/s, goodput at 5 x ${perSecond.toFixed()}/s, answered of critical ${share("critical").toFixed(2)}, ` +
        `default ${share("default").toFixed(2)}, sheddable ${share("sheddable").toFixed(2)}; refused afterwards ${after.length - answered(after)} of ${after.length}`,
    );
    // On a quiet machine it is four fifths and more, as printed above; a server without a limit comes to almost nothing.
    expect(perSecond).toBeGreaterThan(0.5 * peak);
    expect(share("critical")).toBeGreaterThan(3 * share("sheddable"));
    expect(share("critical")).toBeGreaterThan(2 * share("default"));
    expect(new Set(refusals.map(({ code }) => Code[code]))).toEqual(new Set(["ResourceExhausted"]));
    expect(refusals.filter((error) => errorReason(error) !== overloadedReason || !retryDelayMs(error))).toEqual([]);
    expect(answered(lastSecond)).toBe(lastSecond.length);
  });
});
