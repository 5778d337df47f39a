import { fromBinary } from "@bufbuild/protobuf";
import { EventEnvelopeSchema } from "@weft/mesh/gen/weft/v1/event_pb.js";
import { StockReceivedSchema } from "../../gen/shop/inventory/v1/events_pb.ts";
import { OrderConfirmedSchema, OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { MESSAGE_COUNT_MAX } from "../dev/mail-catcher.ts";
import { consumers, publishers } from "./checks/events.ts";
import type {
  Books,
  EventBooks,
  Line,
  MessageFact,
  MoneyBooks,
  Opening,
  OrderBooks,
  OrderEventFact,
  OrderFact,
  OutboxFact,
  PairFact,
  ReservationFact,
  StockBooks,
} from "./checks/facts.ts";
import { openingStock } from "./checks/stock.ts";
import type { Rows, Truth } from "./truth.ts";

/** A message is marked as sent so long after the catcher has it at most. */
const SENT_AFTER_MAX_MS = 10_000;

/** Everything that the checks look at. What is told last is read first, so that what goes on meanwhile looks like a delay, not a loss. */
export async function readBooks(truth: Truth): Promise<Books> {
  const [mails, messages] = [await truth.mails(), await readMessages(truth)];
  const pairs = await truth.rows<PairFact>("recommendation", "SELECT sku, other, orders FROM pairs");
  const [events, stock, money] = [
    await readEventBooks(truth, await truth.deadLetters()),
    await readStockBooks(truth),
    await readMoneyBooks(truth),
  ];
  const orders = await readOrderBooks(truth);
  return {
    ...{ ...events, ...stock, ...money, ...orders, messages },
    mails: mails.map(({ message_id: messageId, subject }) => ({ messageId, subject })),
    mailsSinceMs: mails.length < MESSAGE_COUNT_MAX ? 0 : Date.parse(mails[0]?.received_at ?? "") + SENT_AFTER_MAX_MS,
    pairs: pairs.map(({ sku, other, orders: count }) => ({ sku, other, orders: Number(count) })),
  };
}

/** What the checks count from; to be read when the shop has started and is at rest. */
export async function readOpening(truth: Rows): Promise<Opening> {
  const books = await readStockBooks(truth);
  return {
    stock: openingStock(books),
    received: books.received,
    orders: new Set(books.orders.map(({ orderId }) => orderId)),
  };
}

export async function readOrders(truth: Rows): Promise<OrderFact[]> {
  interface Row {
    order_id: string;
    user_id: string;
    state: string;
    currency_code: string;
    total_minor_units: string;
    version: number;
    order_lines: string;
  }
  const sql = "SELECT order_id, user_id, state, currency_code, total_minor_units, version, order_lines FROM orders";
  return (await truth.rows<Row>("order", sql)).map((row) => ({
    ...{ orderId: row.order_id, userId: row.user_id, state: row.state, currency: row.currency_code },
    ...{ total: Number(row.total_minor_units), version: Number(row.version) },
    lines: (JSON.parse(row.order_lines) as Line[]).map(({ sku, quantity }) => ({ sku, quantity })),
  }));
}

/** Orders, their events, the read model, keys and sagas. */
export async function readOrderBooks(truth: Rows): Promise<OrderBooks> {
  interface History {
    order_id: string;
    user_id: string;
    state: string;
    currency_code: string;
    total_minor_units: string;
    item_count: number;
    version: number;
  }
  interface Key {
    user_id: string;
    idempotency_key: string;
    order_id: string;
  }
  const history = await truth.rows<History>("order", "SELECT * FROM order_history");
  const keys = await truth.rows<Key>(
    "order",
    `SELECT caller AS user_id, CONVERT(idempotency_key USING utf8mb4) AS idempotency_key, CONVERT(answer USING ascii) AS order_id
     FROM weft_idempotency WHERE method = 'shop.order.v1.OrderService/PlaceOrder'`,
  );
  const sagas = await truth.rows<{ order_id: string }>("order", "SELECT order_id FROM sagas");
  return {
    orders: await readOrders(truth),
    orderEvents: await readOrderEvents(truth),
    history: history.map((row) => ({
      ...{ orderId: row.order_id, userId: row.user_id, state: row.state, currency: row.currency_code },
      ...{ total: Number(row.total_minor_units), itemCount: Number(row.item_count), version: Number(row.version) },
    })),
    keys: keys.map((row) => ({ userId: row.user_id, key: row.idempotency_key, orderId: row.order_id })),
    sagas: sagas.map(({ order_id }) => order_id),
  };
}

async function readOrderEvents(truth: Rows): Promise<OrderEventFact[]> {
  interface Row {
    order_id: string;
    version: number;
    type: string;
    payload: Buffer;
  }
  const rows = await truth.rows<Row>("order", "SELECT order_id, version, type, payload FROM order_events");
  return rows.map(({ order_id, version, type, payload }) => {
    const name = type.slice(type.lastIndexOf(".") + 1);
    const fact = { orderId: order_id, version: Number(version), type: name };
    if (name !== "OrderPlaced" && name !== "OrderConfirmed") return fact;
    const { lines, total } = fromBinary(name === "OrderPlaced" ? OrderPlacedSchema : OrderConfirmedSchema, payload);
    return {
      ...fact,
      ...{ total: Number(total?.minorUnits ?? 0), currency: total?.currencyCode ?? "" },
      lines: lines.map(({ sku, quantity, unitPrice }) => ({
        sku,
        quantity,
        price: Number(unitPrice?.minorUnits ?? 0),
      })),
    };
  });
}

export async function readMoneyBooks(truth: Rows & Pick<Truth, "ledger">): Promise<MoneyBooks> {
  const ledger = await truth.ledger();
  const payments = await truth.rows<{ order_id: string; state: string }>(
    "payment",
    "SELECT order_id, state FROM payments",
  );
  return {
    ledger,
    payments: payments.map(({ order_id: orderId, state }) => ({ orderId, state })),
    orders: await readOrders(truth),
  };
}

export async function readStockBooks(truth: Rows): Promise<StockBooks> {
  interface Reservation {
    order_id: string;
    state: string;
    sku: string | null;
    quantity: number | null;
  }
  const stock = await truth.rows<{ sku: string; on_hand: string; held: string }>("inventory", "SELECT * FROM stock");
  const rows = await truth.rows<Reservation>(
    "inventory",
    `SELECT r.order_id, r.state, l.sku, l.quantity FROM reservations AS r
     LEFT JOIN reservation_lines AS l ON l.order_id = r.order_id`,
  );
  const reservations = [...Map.groupBy(rows, ({ order_id }) => order_id)].map(([orderId, own]): ReservationFact => {
    const lines = own.flatMap(({ sku, quantity }) => (sku === null ? [] : [{ sku, quantity: Number(quantity) }]));
    return { orderId, state: own[0]?.state ?? "", lines };
  });
  return {
    orders: await readOrders(truth),
    stock: stock.map(({ sku, on_hand, held }) => ({ sku, onHand: Number(on_hand), held: Number(held) })),
    reservations,
    received: await readReceived(truth),
  };
}

async function readReceived(truth: Rows): Promise<ReadonlyMap<string, number>> {
  const received = new Map<string, number>();
  const rows = await truth.rows<{ envelope: Buffer }>(
    "inventory",
    "SELECT envelope FROM weft_outbox WHERE type = 'shop.inventory.v1.StockReceived'",
  );
  for (const { envelope } of rows) {
    const { lines } = fromBinary(StockReceivedSchema, fromBinary(EventEnvelopeSchema, envelope).payload);
    for (const { sku, quantity } of lines) received.set(sku, (received.get(sku) ?? 0) + Number(quantity));
  }
  return received;
}

/** Outboxes, inboxes and dead letters, of those services that are there. */
export async function readEventBooks(
  truth: Rows,
  deadLetters: EventBooks["deadLetters"],
  isThere: (service: string) => boolean = () => true,
): Promise<EventBooks> {
  interface Outbox {
    event_id: string;
    type: string;
    aggregate_id: string;
    aggregate_version: string;
    is_published: number;
  }
  const outbox: OutboxFact[] = [];
  for (const owner of publishers.filter(isThere)) {
    const rows = await truth.rows<Outbox>(
      owner,
      `SELECT event_id, type, aggregate_id, aggregate_version, published_at IS NOT NULL AS is_published FROM weft_outbox`,
    );
    for (const row of rows) {
      outbox.push({
        ...{ owner, eventId: row.event_id, type: row.type, aggregateId: row.aggregate_id },
        ...{ version: Number(row.aggregate_version), isPublished: Number(row.is_published) === 1 },
      });
    }
  }
  const inbox = new Map<string, ReadonlySet<string>>();
  for (const consumer of Object.keys(consumers).filter(isThere)) {
    const sql = "SELECT event_id FROM weft_inbox WHERE consumer = ?";
    const rows = await truth.rows<{ event_id: string }>(consumer, sql, [consumer]);
    inbox.set(consumer, new Set(rows.map(({ event_id }) => event_id)));
  }
  return { outbox, inbox, deadLetters };
}

async function readMessages(truth: Rows): Promise<MessageFact[]> {
  interface Row {
    event_id: string;
    user_id: string;
    channel: string;
    state: string;
    sent_at: Date | null;
  }
  const rows = await truth.rows<Row>("notification", "SELECT event_id, user_id, channel, state, sent_at FROM messages");
  return rows.map(({ event_id: eventId, user_id: userId, channel, state, sent_at }) => ({
    ...{ eventId, userId, channel, state },
    ...(sent_at !== null && { sentMs: sent_at.getTime() }),
  }));
}
