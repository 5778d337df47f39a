import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createDatabase, type DatabaseOptions } from "./database.ts";

/** A database on a schema of its own, with a telemetry that keeps its lines. Disposing takes all of it away. */
export async function startTestDatabase(options: Partial<DatabaseOptions> = {}) {
  await using resources = new AsyncDisposableStack();
  const lines: string[] = [];
  const telemetry = resources.use(
    createTelemetry({ service: "test", logLevel: "debug", write: (line) => lines.push(line) }),
  );
  const schema = resources.use(await testDatabase("data"));
  const open = (more: Partial<DatabaseOptions> = {}) =>
    resources.use(createDatabase({ url: schema.url, telemetry, ...options, ...more }));
  const database = open();
  const stack = resources.move();
  return {
    database,
    /** Another pool on the same schema. */
    open: (more: Partial<DatabaseOptions>) => stack.use(createDatabase({ url: schema.url, telemetry, ...more })),
    url: schema.url,
    telemetry,
    lines,
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
}

/** Waits until a condition holds. @throws Error if it does not within timeoutMs */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > untilMs) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
