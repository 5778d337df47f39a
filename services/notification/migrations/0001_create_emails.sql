-- Who is to be written to: told by UserRegistered.
CREATE TABLE IF NOT EXISTS contacts (
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  email VARCHAR(254) CHARACTER SET utf8mb4 NOT NULL,
  PRIMARY KEY (user_id)
) ENGINE = InnoDB;

-- One e-mail an event. Rows with next_attempt_at are due for the sender (@weft/mesh/data's due rows).
CREATE TABLE IF NOT EXISTS emails (
  event_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  recipient VARCHAR(254) CHARACTER SET utf8mb4 NOT NULL,
  subject VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
  body MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
  -- QUEUED, SENT, FAILED.
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(3) NOT NULL,
  sent_at DATETIME(3) NULL,
  next_attempt_at DATETIME(3) NULL,
  lease_owner VARCHAR(64) CHARACTER SET ascii NULL,
  lease_until DATETIME(3) NULL,
  attempts INT UNSIGNED NOT NULL,
  traceparent VARCHAR(64) CHARACTER SET ascii NULL,
  PRIMARY KEY (event_id),
  KEY emails_due (next_attempt_at),
  KEY emails_of_user (user_id, created_at, event_id)
) ENGINE = InnoDB;
