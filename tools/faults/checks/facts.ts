import type { LedgerEntry } from "../../dev/outside/ledger.ts";

/** What the checks are told, as it stands in tables, streams, the provider's ledger and the mail catcher. */
export interface Books extends OrderBooks, MoneyBooks, StockBooks, EventBooks, MailBooks {
  readonly pairs: readonly PairFact[];
}

export interface OrderBooks {
  readonly orders: readonly OrderFact[];
  readonly orderEvents: readonly OrderEventFact[];
  readonly history: readonly HistoryFact[];
  readonly keys: readonly KeyFact[];
  /** Ids of orders that have a saga. */
  readonly sagas: readonly string[];
}

export interface MoneyBooks {
  readonly orders: readonly OrderFact[];
  readonly payments: readonly PaymentFact[];
  readonly ledger: readonly LedgerEntry[];
}

export interface StockBooks {
  readonly orders: readonly OrderFact[];
  readonly stock: readonly StockFact[];
  readonly reservations: readonly ReservationFact[];
  /** By SKU, what deliveries have brought. */
  readonly received: ReadonlyMap<string, number>;
}

export interface EventBooks {
  readonly outbox: readonly OutboxFact[];
  /** By consumer, the events that it has handled. */
  readonly inbox: ReadonlyMap<string, ReadonlySet<string>>;
  readonly deadLetters: readonly DeadLetterFact[];
}

export interface MailBooks {
  readonly messages: readonly MessageFact[];
  readonly mails: readonly MailFact[];
  /** The catcher keeps its newest mails: what came before this (epoch ms) it may have forgotten. */
  readonly mailsSinceMs: number;
}

export interface Line {
  readonly sku: string;
  readonly quantity: number;
}

/** A row of order's `orders`. */
export interface OrderFact {
  readonly orderId: string;
  readonly userId: string;
  readonly state: string;
  readonly currency: string;
  readonly total: number;
  readonly version: number;
  readonly lines: readonly Line[];
}

/** A row of `order_events`, with what is read from its payload. */
export interface OrderEventFact {
  readonly orderId: string;
  readonly version: number;
  /** The message's name: "OrderPlaced". */
  readonly type: string;
  /** Of OrderPlaced and OrderConfirmed. */
  readonly total?: number;
  readonly currency?: string;
  readonly lines?: readonly (Line & { readonly price: number })[];
}

/** A row of `order_history`. */
export interface HistoryFact {
  readonly orderId: string;
  readonly userId: string;
  readonly state: string;
  readonly currency: string;
  readonly total: number;
  readonly itemCount: number;
  readonly version: number;
}

export interface KeyFact {
  readonly userId: string;
  readonly key: string;
  readonly orderId: string;
}

export interface PaymentFact {
  readonly orderId: string;
  readonly state: string;
}

export interface StockFact {
  readonly sku: string;
  readonly onHand: number;
  readonly held: number;
}

export interface ReservationFact {
  readonly orderId: string;
  readonly state: string;
  readonly lines: readonly Line[];
}

export interface OutboxFact {
  /** The service whose outbox it is in. */
  readonly owner: string;
  readonly eventId: string;
  /** "shop.order.v1.OrderPlaced" */
  readonly type: string;
  readonly aggregateId: string;
  readonly version: number;
  readonly isPublished: boolean;
}

export interface DeadLetterFact {
  readonly consumer: string;
  readonly eventId: string;
  readonly cause: string;
}

export interface MessageFact {
  readonly eventId: string;
  readonly userId: string;
  readonly channel: string;
  readonly state: string;
  /** Epoch ms; undefined if it is not SENT. */
  readonly sentMs?: number;
}

export interface MailFact {
  readonly messageId: string;
  readonly subject: string;
}

export interface PairFact {
  readonly sku: string;
  readonly other: string;
  readonly orders: number;
}

/** What was there before the first fault: what the checks count from. */
export interface Opening {
  /** By SKU, what was there when it began: on hand and sold. */
  readonly stock: ReadonlyMap<string, number>;
  /** By SKU, what deliveries had brought by then: a part of what was there. */
  readonly received: ReadonlyMap<string, number>;
  /** Orders from before, of a shop with a past: nobody was written to about them, and no client has a log of them. */
  readonly orders: ReadonlySet<string>;
}
