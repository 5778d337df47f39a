import type { EchoRequest } from "../gen/weft/echo/v1/echo_pb.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Database } from "./queryable.ts";

/** A keyed method of tests: adds a row to the table `effects` and answers with its number. */
export function addOnce(keys: Idempotency, database: Database) {
  const keyed = keys.method(EchoService.method.echo, {
    toAnswer: (id: bigint) => ({ text: String(id) }),
    fromAnswer: ({ text }) => BigInt(text),
  });
  return (request: EchoRequest, inTransaction: () => Promise<void> = async () => {}) =>
    (keyed(request) ?? database.transaction)("test.add", async (tx) => {
      const sql = "INSERT INTO effects (text) VALUES (?)";
      const { insertId } = await tx.execute("test.insert", sql, [request.text]);
      await inTransaction();
      return insertId;
    });
}
