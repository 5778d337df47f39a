import { bringUp } from "./supervisor/bring-up.ts";
import type { StackReport } from "./supervisor/control.ts";
import { readSettings, stackDirectory } from "./supervisor/settings.ts";
import { stackTable } from "./supervisor/table.ts";

/** `make up`: starts the stack in the background, or mends it, and returns when it is healthy. */
async function up(): Promise<void> {
  const startedAt = performance.now();
  const elapsed = () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`;
  const report = await bringUp({
    directory: stackDirectory(process.env),
    settings: readSettings(process.env),
    say: (line) => process.stdout.write(`${elapsed().padStart(7)}  ${line}\n`),
  });
  process.stdout.write(`\n${stackTable(report)}\n\n${summary(report, elapsed())}\n`);
}

function summary({ members, addresses, started }: StackReport, elapsed: string): string {
  const done = started.length === 0 ? `all ${members.length} were healthy already` : `started ${started.length}`;
  return [
    `${done} (${elapsed}, TOPOLOGY=${addresses.topology})`,
    `storefront  ${addresses.edge}/`,
    `public API  ${addresses.edge}/shop.api.v1...`,
    `mail        ${addresses.mail}/messages`,
    `SMS, push   ${addresses.webhooks}/messages`,
    `traces      ${addresses.otlp}/traces`,
    `logs        make logs`,
    `stop        make down`,
  ].join("\n");
}

if (import.meta.main) {
  try {
    await up();
  } catch (error) {
    process.stderr.write(`\nmake up: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
