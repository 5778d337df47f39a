import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { AddressBook } from "../stack/address-book.ts";
import type { MemberStatus } from "../stack/member.ts";
import type { SupervisorState } from "./state.ts";

/** What the stack looks like. */
export interface StackReport {
  readonly members: readonly MemberStatus[];
  readonly addresses: AddressBook;
  /** Names of what the request started. */
  readonly started: readonly string[];
}

/** What a supervisor can be told to do. */
export interface Supervision {
  /** Starts what does not run; returns when all is healthy. */
  start(say: (line: string) => void): Promise<StackReport>;
  /** Stops all of it, and the supervisor after the answer. */
  stop(): Promise<void>;
}

/** One line of the answer to an order: what is being done, then how it ended. */
type AnswerLine =
  | { readonly say: string }
  | { readonly done: StackReport | null }
  | { readonly failed: string; readonly kind: string };

/** An order that failed at the supervisor. */
export class OrderFailed extends Error {
  /** The name of the error there, e.g. `PortConflict`. */
  readonly kind: string;

  constructor(message: string, kind: string) {
    super(message);
    this.kind = kind;
  }
}

const ANSWER_TIMEOUT_MS = 5_000;
const WATCH_INTERVAL_MS = 5_000;
const SILENT_COUNT_MAX = 3;

/** Takes orders on a free port of 127.0.0.1, from those who know the token. */
export async function serveControl(
  supervision: Supervision,
): Promise<{ readonly port: number; readonly token: string }> {
  const token = randomBytes(24).toString("hex");
  const expected = Buffer.from(`Bearer ${token}`);
  const server = createServer((request, response) => {
    const given = Buffer.from(request.headers.authorization ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) response.writeHead(401).end();
    else if (request.url === "/ping") response.end();
    else if (request.url === "/start") obey(response, (say) => supervision.start(say));
    else if (request.url === "/stop") obey(response, () => supervision.stop().then(() => null));
    else response.writeHead(404).end();
  });
  // Starting may take minutes (an installation), during which nothing may be said.
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, token };
}

function obey(response: ServerResponse, order: (say: (line: string) => void) => Promise<StackReport | null>): void {
  const write = (line: AnswerLine) => response.write(`${JSON.stringify(line)}\n`);
  order((line) => write({ say: line }))
    .then(
      (done) => write({ done }),
      (error: Error) => write({ failed: error.message, kind: error.name }),
    )
    .finally(() => response.end());
}

/** Whether the supervisor takes orders. */
export async function answers(state: SupervisorState): Promise<boolean> {
  try {
    const response = await request(state, "/ping", AbortSignal.timeout(ANSWER_TIMEOUT_MS));
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Has the supervisor start what does not run, however long that takes, as long as it answers otherwise. Throws an OrderFailed
 * with what it says.
 */
export async function orderStart(state: SupervisorState, say: (line: string) => void): Promise<StackReport> {
  using watch = watchOver(state);
  const done = await order(state, "/start", say, watch.signal);
  if (done === null) throw new Error("the supervisor did not say what it started");
  return done;
}

/** Aborts its signal when the supervisor has not answered for a while: one that hangs says nothing and closes nothing. */
function watchOver(state: SupervisorState): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let silentCount = 0;
  const look = async (): Promise<void> => {
    silentCount = (await answers(state)) ? 0 : silentCount + 1;
    if (silentCount >= SILENT_COUNT_MAX) controller.abort(new Error("the supervisor has stopped answering"));
  };
  const timer = setInterval(() => void look(), WATCH_INTERVAL_MS);
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
}

/** Has the supervisor stop everything and itself; gives up after `timeoutMs`. */
export async function orderStop(state: SupervisorState, timeoutMs: number): Promise<void> {
  await order(state, "/stop", () => undefined, AbortSignal.timeout(timeoutMs));
}

async function order(
  state: SupervisorState,
  path: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<StackReport | null> {
  const response = await request(state, path, signal);
  if (!response.ok || response.body === null) throw new Error(`the supervisor answered ${response.status}`);
  for await (const text of createInterface({ input: Readable.fromWeb(response.body) })) {
    const line = JSON.parse(text) as AnswerLine;
    if ("say" in line) say(line.say);
    else if ("done" in line) return line.done;
    else throw new OrderFailed(line.failed, line.kind);
  }
  throw new Error("the supervisor ended in the middle of its answer");
}

function request(state: SupervisorState, path: string, signal?: AbortSignal): Promise<Response> {
  return fetch(`http://127.0.0.1:${state.port}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${state.token}` },
    ...(signal ? { signal } : {}),
  });
}
