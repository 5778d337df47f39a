import { setTimeout as wait } from "node:timers/promises";
import type { Io } from "../output.ts";
import { keysHelp } from "./keys.ts";
import type { Replica } from "./replicas.ts";
import { formatLine, formatScreen, type View } from "./screen.ts";
import { startTraffic } from "./traffic.ts";
import { startTryWorld, type TryWorld } from "./world.ts";

export interface PlayOptions {
  readonly replicas: number;
  readonly callsPerSecond: number;
  /** It ends by itself then; Infinity: when it is told to. */
  readonly forMs: number;
}

const ways = ["auto", "tunnel", "grpc"] as const;
const newsMax = 20;
const control = { c: "\u0003", clear: "\x1b[2J", home: "\x1b[H", toEndOfLine: "\x1b[K", below: "\x1b[J" };

/** Runs the two services, shows live numbers and does to replicas what keys say, until q or the end of its time. */
export async function play(io: Io, options: PlayOptions): Promise<void> {
  const news: string[] = [];
  const tell = (line: string): void => {
    news.push(`${new Date().toISOString().slice(11, 19)} ${line}`);
    if (news.length > newsMax) news.shift();
    if (!io.isTerminal) io.stdout(`${line}\n`);
  };
  await using world = await startTryWorld({ replicas: options.replicas, onLog: (line) => tell(messageOf(line)) });
  await using traffic = startTraffic({
    transport: world.mesh.transport("echo"),
    callsPerSecond: options.callsPerSecond,
  });
  const board = { chosen: 0 };
  const over = new AbortController();
  const view = (): View => ({
    replicas: world.replicas,
    chosen: board.chosen,
    way: world.mesh.edge("echo").transport,
    traffic,
    news,
    nowMs: performance.now(),
  });
  // Standard input is closed when the program ends, though keys are still waited for.
  obeyKeys(io, world, board, tell, over).catch(() => undefined);
  using _keys = keysAtOnce(io);
  if (!io.isTerminal) io.stdout(`${keysHelp}\n`);
  await show(io, view, options.forMs, over.signal);
}

async function show(io: Io, view: () => View, forMs: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + forMs;
  const everyMs = io.isTerminal ? 250 : 1_000;
  if (io.isTerminal) io.stdout(control.clear);
  while (!signal.aborted && performance.now() < untilMs) {
    await wait(everyMs, undefined, { signal }).catch(() => undefined);
    if (!io.isTerminal) {
      io.stdout(`${formatLine(view())}\n`);
      continue;
    }
    const lines = [...formatScreen(view()), "", keysHelp];
    io.stdout(`${control.home}${lines.map((line) => line + control.toEndOfLine).join("\r\n")}\r\n${control.below}`);
  }
}

/** Reads keys for as long as there are any. */
async function obeyKeys(
  io: Io,
  world: TryWorld,
  board: { chosen: number },
  tell: (line: string) => void,
  over: AbortController,
): Promise<void> {
  for await (const chunk of io.stdin) {
    for (const key of chunk.toString()) {
      if (key === "q" || key === control.c) over.abort();
      else if (/[1-9]/.test(key) && Number(key) <= world.replicas.length) board.chosen = Number(key) - 1;
      else if (key === "w") turnWay(world);
      const replica = world.replicas[board.chosen];
      if (replica) act(replica, key).catch((error: unknown) => tell(`${replica.name}: ${String(error)}`));
    }
  }
}

function turnWay({ mesh }: TryWorld): void {
  const edge = mesh.edge("echo");
  edge.transport = ways[(ways.indexOf(edge.transport) + 1) % ways.length] ?? "auto";
}

async function act(replica: Replica, key: string): Promise<void> {
  const { state } = replica;
  if (key === "r") await replica.restart();
  else if (key === "f") await (state === "frozen" ? replica.mend() : replica.freeze());
  else if (key === "s") await (state === "slow" ? replica.mend() : replica.slow());
  else if (key === "k") await (state === "down" ? replica.mend() : replica.kill());
}

function keysAtOnce(io: Io): Disposable {
  io.setKeysAtOnce?.(true);
  return { [Symbol.dispose]: () => io.setKeysAtOnce?.(false) };
}

/** What a log line says, and of whom. */
function messageOf(line: string): string {
  const { message, endpoint = "", method = "" } = JSON.parse(line) as Record<string, string>;
  return [message, endpoint, method].filter((part) => part !== "").join(" ");
}
