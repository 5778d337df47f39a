import { Code } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import { type Database, decodePageToken, encodePageToken, type SqlValue, type Transaction } from "@weft/mesh/data";
import type { Email, EmailState } from "./domain.ts";
import type { Inbox, SendDeps } from "./usecases.ts";

export interface EmailStoreDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** Called after a commit that has queued an e-mail. */
  readonly onQueued: () => void;
  /** W3C traceparent of what is going on, if anything is. */
  readonly traceparent: () => string | undefined;
}

export interface EmailStore {
  readonly sending: SendDeps["emails"];
  inbox(tx: Transaction): Inbox;
  /** A user's e-mails, newest first. @throws ConnectError INVALID_ARGUMENT naming page_token if it is not this list's */
  list(page: {
    readonly userId: string;
    readonly pageSize: number;
    readonly pageToken: string;
  }): Promise<{ emails: Email[]; nextPageToken: string }>;
}

interface EmailRow {
  readonly event_id: string;
  readonly user_id: string;
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  readonly state: EmailState;
  readonly attempts: number;
  readonly created_at: Date;
  readonly sent_at: Date | null;
}

const columns = "event_id, user_id, recipient, subject, body, state, attempts, created_at, sent_at";

/** Contacts and e-mails in MariaDB or MySQL. Where an address has not arrived there is an empty one, and the e-mail is not due. */
export function createEmailStore(deps: EmailStoreDeps): EmailStore {
  const { database, clock } = deps;
  return {
    inbox: (tx) => createInbox(deps, tx),

    sending: {
      async get(eventId) {
        const sql = `SELECT ${columns} FROM emails WHERE event_id = ?`;
        const [row] = await database.query<EmailRow>("notification.selectEmail", sql, [eventId]);
        return row && toEmail(row);
      },
      async markSent(eventId) {
        const sql = "UPDATE emails SET state = 'SENT', sent_at = ?, next_attempt_at = NULL WHERE event_id = ?";
        await database.execute("notification.markSent", sql, [new Date(clock.now()), eventId]);
      },
      async markFailed(eventId) {
        const sql = "UPDATE emails SET state = 'FAILED', next_attempt_at = NULL WHERE event_id = ?";
        await database.execute("notification.markFailed", sql, [eventId]);
      },
    },

    async list({ userId, pageSize, pageToken }) {
      const name = `emails of ${userId}`;
      const after = pageToken === "" ? undefined : positionOf(decodePageToken(name, pageToken));
      // Both comparisons, or the index would be read from the user's newest e-mail on for each page.
      const from = after === undefined ? "" : "AND created_at <= ? AND (created_at < ? OR event_id < ?)";
      const position: SqlValue[] = after === undefined ? [] : [after.createdAt, after.createdAt, after.eventId];
      const rows = await database.query<EmailRow>(
        "notification.listEmails",
        `SELECT ${columns} FROM emails WHERE user_id = ? ${from} ORDER BY created_at DESC, event_id DESC LIMIT ${pageSize + 1}`,
        [userId, ...position],
      );
      const emails = rows.slice(0, pageSize).map(toEmail);
      const last = rows.length > pageSize ? emails.at(-1) : undefined;
      const nextPageToken = last ? encodePageToken(name, [String(last.createdAt.getTime()), last.eventId]) : "";
      return { emails, nextPageToken };
    },
  };
}

function createInbox({ clock, onQueued, traceparent }: EmailStoreDeps, tx: Transaction): Inbox {
  return {
    async saveContact({ userId, email, notifyByEmail, version }) {
      // An empty address is a row that findContact() has locked. The version last: what is before it compares with the old one.
      const isNews = "(email = '' OR VALUES(version) > version)";
      const sql = `INSERT INTO contacts (user_id, email, notify_by_email, version) VALUES (?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE notify_by_email = IF(${isNews}, VALUES(notify_by_email), notify_by_email),
          email = IF(${isNews}, VALUES(email), email), version = GREATEST(version, VALUES(version))`;
      await tx.execute("notification.saveContact", sql, [userId, email, notifyByEmail ? 1 : 0, version]);
      if (!notifyByEmail) {
        const drop = "DELETE FROM emails WHERE user_id = ? AND recipient = ''";
        await tx.execute("notification.dropWaiting", drop, [userId]);
        return;
      }
      const { affectedRows } = await tx.execute(
        "notification.addressWaiting",
        "UPDATE emails SET recipient = ?, next_attempt_at = ? WHERE user_id = ? AND recipient = ''",
        [email, new Date(clock.now()), userId],
      );
      if (affectedRows > 0) tx.afterCommit(onQueued);
    },

    async findContact(userId) {
      // Locks the row, there or not: an address that arrives now waits, and then finds the e-mail that waits for it.
      const lock = "INSERT INTO contacts (user_id, email) VALUES (?, '') ON DUPLICATE KEY UPDATE user_id = user_id";
      await tx.execute("notification.lockContact", lock, [userId]);
      const sql = "SELECT email, notify_by_email AS notifyByEmail FROM contacts WHERE user_id = ?";
      interface Row {
        email: string;
        notifyByEmail: number;
      }
      const [row] = await tx.query<Row>("notification.findContact", sql, [userId]);
      return { email: row?.email ?? "", notifyByEmail: Number(row?.notifyByEmail ?? 1) === 1 };
    },

    async queue({ eventId, userId, recipient, subject, body }) {
      const now = new Date(clock.now());
      await tx.execute(
        "notification.queueEmail",
        `INSERT INTO emails (event_id, user_id, recipient, subject, body, state, created_at, next_attempt_at, attempts, traceparent)
         VALUES (?, ?, ?, ?, ?, 'QUEUED', ?, ?, 0, ?) ON DUPLICATE KEY UPDATE event_id = event_id`,
        [eventId, userId, recipient, subject, body, now, recipient === "" ? null : now, traceparent() ?? null],
      );
      tx.afterCommit(onQueued);
    },
  };
}

/** Where the page before ended. */
function positionOf([createdAt = "", eventId = ""]: readonly string[]): { createdAt: Date; eventId: string } {
  // Milliseconds up to the year 2286, and what an id is made of: the database refuses others.
  if (!/^\d{1,13}$/.test(createdAt) || !/^[\w-]{1,64}$/.test(eventId)) {
    const violations = [{ field: "page_token", description: "is not a next_page_token of this list" }];
    throw rpcError(Code.InvalidArgument, "page_token is not a next_page_token of this list", { violations });
  }
  return { createdAt: new Date(Number(createdAt)), eventId };
}

function toEmail(row: EmailRow): Email {
  return {
    eventId: row.event_id,
    userId: row.user_id,
    recipient: row.recipient,
    subject: row.subject,
    body: row.body,
    state: row.state,
    attempts: Number(row.attempts),
    createdAt: row.created_at,
    sentAt: row.sent_at ?? undefined,
  };
}
