import mysql from "mysql2/promise";
import type { StreamMessage } from "../stream.ts";

interface Row extends mysql.RowDataPacket {
  readonly event_id: string;
  readonly subject: string;
  readonly envelope: Buffer;
  readonly traceparent: string | null;
}

/** What a service's transactions have told of and its relay has not published, as messages. */
export async function readUnpublished(mysqlUrl: string, service: string): Promise<StreamMessage[]> {
  const connection = await mysql.createConnection(mysqlUrl);
  try {
    const [rows] = await connection.query<Row[]>(
      `SELECT event_id, subject, envelope, traceparent FROM shop_${service}.weft_outbox WHERE published_at IS NULL ORDER BY id`,
    );
    return rows.map(({ event_id: id, subject, envelope: data, traceparent }) => {
      return { id, subject, data, headers: traceparent === null ? {} : { traceparent } };
    });
  } finally {
    await connection.end();
  }
}
