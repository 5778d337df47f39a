import type { EventMessage } from "../stream.ts";
import type { Rows } from "../truth.ts";

interface Row {
  readonly event_id: string;
  readonly subject: string;
  readonly envelope: Buffer;
  readonly traceparent: string | null;
}

/** What a service's transactions have told of and its relay has not published, as messages. */
export async function readUnpublished(truth: Rows, service: string): Promise<EventMessage[]> {
  const rows = await truth.rows<Row>(
    service,
    "SELECT event_id, subject, envelope, traceparent FROM weft_outbox WHERE published_at IS NULL ORDER BY id",
  );
  return rows.map(({ event_id: id, subject, envelope: data, traceparent }) => {
    return { id, subject, data, headers: traceparent === null ? {} : { traceparent } };
  });
}
