import { create } from "@bufbuild/protobuf";
import { runAs } from "../context/call-context.ts";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createDatabase } from "./database.ts";
import { createIdempotency } from "./idempotency.ts";
import { addOnce } from "./testing-keyed.ts";

/** Makes one keyed call on the schema MYSQL_URL and dies by kill -9 at the place KILL_AT: "after test.insert". */
const { MYSQL_URL: url = "", KILL_AT } = process.env;
const telemetry = createTelemetry({ service: "test", logLevel: "error" });
const database = createDatabase({
  url,
  telemetry,
  onStatement(when, name) {
    if (`${when} ${name}` === KILL_AT) process.kill(process.pid, "SIGKILL");
  },
});
const add = addOnce(createIdempotency({ database, telemetry }), database);
await runAs({ idempotencyKey: "k" }, () => add(create(EchoRequestSchema, { text: "a" })));
