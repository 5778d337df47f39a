import { Code } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import {
  type Database,
  decodePageToken,
  encodePageToken,
  leaseLost,
  type SqlValue,
  type Transaction,
} from "@weft/mesh/data";
import type { Channel, Message, MessageState } from "./domain.ts";
import { createInbox } from "./inbox.ts";
import type { Inbox, SendDeps } from "./usecases.ts";

export interface MessageStoreDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** Called after a commit that has queued a message on a channel. */
  readonly onQueued: (channel: Channel) => void;
  /** W3C traceparent of what is going on, if anything is. */
  readonly traceparent: () => string | undefined;
}

export interface MessageStore {
  readonly sending: SendDeps["messages"];
  inbox(tx: Transaction): Inbox;
  /**
   * A user's messages, newest first, of one channel or of all.
   *
   * @throws ConnectError INVALID_ARGUMENT naming page_token if it is not this list's
   */
  list(page: {
    readonly userId: string;
    readonly channel: Channel | undefined;
    readonly pageSize: number;
    readonly pageToken: string;
  }): Promise<{ messages: Message[]; nextPageToken: string }>;
}

interface MessageRow {
  readonly message_id: string;
  readonly event_id: string;
  readonly user_id: string;
  readonly channel: Channel;
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  readonly html: string | null;
  readonly state: MessageState;
  readonly failure: string;
  readonly attempts: number;
  readonly created_at: Date;
  readonly sent_at: Date | null;
}

const columns =
  "message_id, event_id, user_id, channel, recipient, subject, body, html, state, failure, attempts, created_at, sent_at";
const failureLengthMax = 300;

/** Contacts and messages in MariaDB or MySQL. */
export function createMessageStore(deps: MessageStoreDeps): MessageStore {
  const { database, clock } = deps;
  return {
    inbox: (tx) => createInbox(deps, tx),

    sending: {
      async get(messageId) {
        const sql = `SELECT ${columns} FROM messages WHERE message_id = ?`;
        const [row] = await database.query<MessageRow>("notification.selectMessage", sql, [messageId]);
        return row && toMessage(row);
      },
      async markSent(messageId, leaseToken) {
        const sql = `UPDATE messages SET state = 'SENT', sent_at = ?, next_attempt_at = NULL
          WHERE message_id = ? AND lease_token = ?`;
        const values = [new Date(clock.now()), messageId, leaseToken];
        const { affectedRows } = await database.execute("notification.markSent", sql, values);
        if (affectedRows !== 1) throw leaseLost("notification.messages", messageId);
      },
      async markFailed(messageId, failure, leaseToken) {
        const sql = `UPDATE messages SET state = 'FAILED', failure = ?, next_attempt_at = NULL
          WHERE message_id = ? AND lease_token = ?`;
        const values = [failure.slice(0, failureLengthMax), messageId, leaseToken];
        const { affectedRows } = await database.execute("notification.markFailed", sql, values);
        if (affectedRows !== 1) throw leaseLost("notification.messages", messageId);
      },
    },

    async list({ userId, channel, pageSize, pageToken }) {
      const name = `${channel === "EMAIL" ? "emails" : "messages"} of ${userId}`;
      const after = pageToken === "" ? undefined : positionOf(decodePageToken(name, pageToken));
      // Both comparisons, or the index would be read from the user's newest message on for each page.
      const from = after === undefined ? "" : "AND created_at <= ? AND (created_at < ? OR message_id < ?)";
      const position: SqlValue[] = after === undefined ? [] : [after.createdAt, after.createdAt, after.messageId];
      const only = channel === undefined ? "" : "AND channel = ?";
      const rows = await database.query<MessageRow>(
        "notification.listMessages",
        `SELECT ${columns} FROM messages WHERE user_id = ? ${from} ${only}
         ORDER BY created_at DESC, message_id DESC LIMIT ${pageSize + 1}`,
        [userId, ...position, ...(channel === undefined ? [] : [channel])],
      );
      const messages = rows.slice(0, pageSize).map(toMessage);
      const last = rows.length > pageSize ? messages.at(-1) : undefined;
      const nextPageToken = last ? encodePageToken(name, [String(last.createdAt.getTime()), last.messageId]) : "";
      return { messages, nextPageToken };
    },
  };
}

/** Where the page before ended. */
function positionOf([createdAt = "", messageId = ""]: readonly string[]): { createdAt: Date; messageId: string } {
  // Milliseconds up to the year 2286, and what an id is made of: the database refuses others.
  if (!/^\d{1,13}$/.test(createdAt) || !/^[\w-]{1,80}$/.test(messageId)) {
    const violations = [{ field: "page_token", description: "is not a next_page_token of this list" }];
    throw rpcError(Code.InvalidArgument, "page_token is not a next_page_token of this list", { violations });
  }
  return { createdAt: new Date(Number(createdAt)), messageId };
}

function toMessage(row: MessageRow): Message {
  return {
    messageId: row.message_id,
    eventId: row.event_id,
    userId: row.user_id,
    channel: row.channel,
    recipient: row.recipient,
    subject: row.subject,
    body: row.body,
    html: row.html ?? undefined,
    state: row.state,
    failure: row.failure,
    attempts: Number(row.attempts),
    createdAt: row.created_at,
    sentAt: row.sent_at ?? undefined,
  };
}
