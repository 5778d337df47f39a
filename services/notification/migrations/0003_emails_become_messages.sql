-- An e-mail becomes one of the messages that an event causes, one a channel. One statement: DDL commits on its own.
ALTER TABLE emails
  RENAME TO messages,
  -- The event's id and the channel; until 0004 an e-mail's is its event's.
  CHANGE COLUMN event_id message_id VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ADD COLUMN event_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER message_id,
  -- EMAIL, SMS, PUSH.
  ADD COLUMN channel VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'EMAIL' AFTER user_id,
  -- Of e-mails; those from before have none.
  ADD COLUMN html MEDIUMTEXT CHARACTER SET utf8mb4 NULL AFTER body,
  -- Why it was given up.
  ADD COLUMN failure VARCHAR(300) CHARACTER SET utf8mb4 NOT NULL DEFAULT '' AFTER state,
  DROP INDEX emails_due,
  -- A sender for each channel.
  ADD INDEX messages_due (channel, next_attempt_at),
  DROP INDEX emails_of_user,
  ADD INDEX messages_of_user (user_id, created_at, message_id);
