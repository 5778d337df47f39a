// A consumer in a process of its own, for tests that kill it: `node testing-consumer.ts <mysql url> <nats url> <when>`.
import { createDatabase } from "../data/database.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createBroker } from "./broker.ts";
import { startConsumer } from "./consumer.ts";
import { onEvent } from "./handler.ts";
import { Happened, streams } from "./testing-events.ts";

const [url = "", natsUrl = "", when = ""] = process.argv.slice(2);
const telemetry = createTelemetry({ service: "test" });
const die = () => process.kill(process.pid, "SIGKILL");
startConsumer({
  service: "test",
  telemetry,
  database: createDatabase({ url, telemetry }),
  broker: createBroker({ url: natsUrl, service: "test", telemetry, ...streams }),
  ackWaitMs: 1_500,
  handlers: [
    onEvent(Happened, async (tx, { text }) => {
      await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
      if (when === "before-commit") die();
      // Between effect and acknowledgement.
      if (when === "after-commit") tx.afterCommit(die);
    }),
  ],
});
