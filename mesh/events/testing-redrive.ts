// Redrives one dead letter in a process of its own that dies between effect and removal: `node testing-redrive.ts <mysql url> <nats url> <letter>`.
import { createDatabase } from "../data/database.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createBroker } from "./broker.ts";
import { startConsumer } from "./consumer.ts";
import { onEvent } from "./handler.ts";
import { Happened, streams } from "./testing-events.ts";

const [url = "", natsUrl = "", letterId = ""] = process.argv.slice(2);
const telemetry = createTelemetry({ service: "test" });
const consumer = startConsumer({
  service: "test",
  telemetry,
  database: createDatabase({ url, telemetry }),
  broker: createBroker({ url: natsUrl, service: "test", telemetry, ...streams }),
  handlers: [
    onEvent(Happened, async (tx, { text }) => {
      await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
      tx.afterCommit(() => process.kill(process.pid, "SIGKILL"));
    }),
  ],
});
await consumer.deadLetters.redrive(BigInt(letterId), { dryRun: false });
