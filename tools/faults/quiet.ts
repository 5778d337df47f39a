import { jetstreamManager } from "@nats-io/jetstream";
import mysql from "mysql2/promise";
import { connect, type NatsConnection } from "nats";
import { SCHEMA_OWNERS } from "../dev/stack/environment.ts";

/** Looks at engines directly for what is not at rest. */
export interface QuietProbe extends AsyncDisposable {
  /** What still moves, a line each; none: all is quiet. Throws while an engine is away. */
  unrest(): Promise<string[]>;
}

export interface QuietProbeOptions {
  /** The administrator's, of the engine itself. */
  readonly mysqlUrl: string;
  readonly natsUrl: string;
}

const LINE_COUNT_MAX = 20;
const QUERY_TIMEOUT_MS = 3_000;

interface Question {
  readonly what: string;
  readonly schema: string;
  /** Rows with a column `subject`: each is something that moves. */
  readonly sql: string;
}

const QUESTIONS: readonly Question[] = [
  {
    what: "an order in a state that does not last",
    schema: "order",
    sql: `SELECT CONCAT(order_id, ' ', state) AS subject FROM orders
          WHERE state IN ('PLACED', 'RESERVED', 'AWAITING_PAYMENT', 'CONFIRMED')`,
  },
  {
    what: "a saga that is due",
    schema: "order",
    sql: "SELECT order_id AS subject FROM sagas WHERE next_attempt_at IS NOT NULL",
  },
  {
    // One that is PENDING and to be voided waits for its request to the provider to be certainly dead: minutes, and moves nothing.
    what: "a payment that is wanted otherwise",
    schema: "payment",
    sql: `SELECT CONCAT(order_id, ' ', state, ' ', COALESCE(wanted, '')) AS subject FROM payments
          WHERE next_attempt_at IS NOT NULL AND NOT (state = 'PENDING' AND wanted = 'VOID')`,
  },
  {
    what: "a message that is not sent",
    schema: "notification",
    sql: "SELECT message_id AS subject FROM messages WHERE next_attempt_at IS NOT NULL",
  },
  ...SCHEMA_OWNERS.map((schema) => ({
    what: `an event of ${schema} that is not published`,
    schema,
    sql: "SELECT event_id AS subject FROM weft_outbox WHERE published_at IS NULL",
  })),
];

export function createQuietProbe({ mysqlUrl, natsUrl }: QuietProbeOptions): QuietProbe {
  const pool = mysql.createPool({ uri: mysqlUrl, connectionLimit: 2, connectTimeout: QUERY_TIMEOUT_MS });
  let nats: NatsConnection | undefined;

  const rows = async ({ what, schema, sql }: Question): Promise<string[]> => {
    const [found] = await pool.query<mysql.RowDataPacket[]>({
      sql: withSchema(sql, schema),
      timeout: QUERY_TIMEOUT_MS,
    });
    return found.map(({ subject }) => `${what}: ${subject}`);
  };
  const consumers = async (): Promise<string[]> => {
    if (nats === undefined || nats.isClosed()) nats = await connect({ servers: natsUrl, maxReconnectAttempts: -1 });
    const manager = await jetstreamManager(nats, { timeout: QUERY_TIMEOUT_MS });
    const lines: string[] = [];
    for await (const { config, num_pending, num_ack_pending } of manager.consumers.list("EVENTS")) {
      const left = num_pending + num_ack_pending;
      if (config.durable_name !== undefined && left > 0) lines.push(`${left} events for ${config.durable_name}`);
    }
    return lines;
  };

  return {
    async unrest() {
      const lines = await consumers();
      for (const question of QUESTIONS) {
        if (lines.length >= LINE_COUNT_MAX) break;
        lines.push(...(await rows(question)).slice(0, LINE_COUNT_MAX));
      }
      return lines;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([pool.end().catch(() => undefined), nats?.close()]);
    },
  };
}

/** The table after FROM, of the service's schema. */
function withSchema(sql: string, schema: string): string {
  return sql.replace(/\bFROM (\w+)/, `FROM shop_${schema}.$1`);
}
