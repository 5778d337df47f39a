import type { Clock } from "@weft/mesh/contract";
import type { Transaction } from "@weft/mesh/data";
import { type Channel, type Contact, messageIdOf } from "./domain.ts";
import type { Inbox } from "./usecases.ts";

export interface InboxDeps {
  readonly clock: Clock;
  readonly onQueued: (channel: Channel) => void;
  readonly traceparent: () => string | undefined;
}

/** How long a message waits for its user's contact. Past it nobody would want to read it any more. */
const contactWaitMaxMs = 7 * 24 * 3_600_000;

interface ContactRow {
  readonly user_id: string;
  readonly email: string;
  readonly phone: string;
  readonly push_token: string;
  readonly notify_by_email: number;
  readonly notify_by_sms: number;
  readonly notify_by_push: number;
  readonly version: string;
}

const selectContact = `SELECT user_id, email, phone, push_token, notify_by_email, notify_by_sms, notify_by_push, version
  FROM contacts WHERE user_id = ?`;
const fields = ["phone", "push_token", "notify_by_email", "notify_by_sms", "notify_by_push", "email"];

/**
 * Contacts and messages inside an event's transaction. Where a contact has not arrived there is a row with an empty address, and so
 * have the messages that wait for it; they are due when they have waited long enough.
 */
export function createInbox({ clock, onQueued, traceparent }: InboxDeps, tx: Transaction): Inbox {
  async function readContact(userId: string): Promise<Contact | undefined> {
    const [row] = await tx.query<ContactRow>("notification.findContact", selectContact, [userId]);
    return row === undefined || row.email === "" ? undefined : toContact(row);
  }

  return {
    async saveContact(contact) {
      const { userId, email, phone, pushToken, notifyByEmail, notifyBySms, notifyByPush, version } = contact;
      // An empty address is a row that findContact() has locked. Address and version last: what is before them compares with the old.
      const isNews = "(email = '' OR VALUES(version) > version)";
      const news = fields.map((field) => `${field} = IF(${isNews}, VALUES(${field}), ${field})`).join(", ");
      await tx.execute(
        "notification.saveContact",
        `INSERT INTO contacts (user_id, email, phone, push_token, notify_by_email, notify_by_sms, notify_by_push, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE ${news}, version = GREATEST(version, VALUES(version))`,
        [userId, email, phone, pushToken, notifyByEmail, notifyBySms, notifyByPush, version],
      );
      return (await readContact(userId)) ?? contact;
    },

    async findContact(userId) {
      // Locks the row, there or not: a contact that arrives now waits, and then finds the messages that wait for it.
      const lock = "INSERT INTO contacts (user_id, email) VALUES (?, '') ON DUPLICATE KEY UPDATE user_id = user_id";
      await tx.execute("notification.lockContact", lock, [userId]);
      return await readContact(userId);
    },

    async queue({ eventId, userId, channel, recipient, subject, body, html }) {
      const now = clock.now();
      const dueAt = new Date(recipient === "" ? now + contactWaitMaxMs : now);
      const id = messageIdOf(eventId, channel);
      await tx.execute(
        "notification.queueMessage",
        `INSERT INTO messages
           (message_id, event_id, user_id, channel, recipient, subject, body, html, state, created_at, next_attempt_at, attempts, traceparent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'QUEUED', ?, ?, 0, ?) ON DUPLICATE KEY UPDATE message_id = message_id`,
        [
          id,
          eventId,
          userId,
          channel,
          recipient,
          subject,
          body,
          html ?? null,
          new Date(now),
          dueAt,
          traceparent() ?? null,
        ],
      );
      if (recipient !== "") tx.afterCommit(() => onQueued(channel));
    },

    async addressWaiting(userId, recipients) {
      const waiting = "user_id = ? AND recipient = '' AND state = 'QUEUED'";
      for (const { channel, address } of recipients) {
        const { affectedRows } = await tx.execute(
          "notification.addressWaiting",
          `UPDATE messages SET recipient = ?, next_attempt_at = ? WHERE ${waiting} AND channel = ?`,
          [address, new Date(clock.now()), userId, channel],
        );
        if (affectedRows > 0) tx.afterCommit(() => onQueued(channel));
      }
      await tx.execute("notification.dropWaiting", `DELETE FROM messages WHERE ${waiting}`, [userId]);
    },
  };
}

function toContact(row: ContactRow): Contact {
  return {
    userId: row.user_id,
    email: row.email,
    phone: row.phone,
    pushToken: row.push_token,
    notifyByEmail: Number(row.notify_by_email) === 1,
    notifyBySms: Number(row.notify_by_sms) === 1,
    notifyByPush: Number(row.notify_by_push) === 1,
    version: BigInt(row.version),
  };
}
