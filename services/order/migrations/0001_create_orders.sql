-- What happened, in order: the truth. Never updated, never deleted.
CREATE TABLE IF NOT EXISTS order_events (
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- From 1, without gap. Of two who append at once, the key lets one.
  version INT UNSIGNED NOT NULL,
  -- Full name of the protobuf message: "shop.order.v1.OrderPlaced".
  type VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The message, encoded.
  payload MEDIUMBLOB NOT NULL,
  occurred_at DATETIME(3) NOT NULL,
  PRIMARY KEY (order_id, version)
) ENGINE = InnoDB;

-- Each order as it is now: the fold of its events, written in the transaction that appends them.
CREATE TABLE IF NOT EXISTS orders (
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The user's, 0 to 1,023; also in the id.
  bucket SMALLINT UNSIGNED NOT NULL,
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- JSON, as store.ts writes it.
  order_lines MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  total_minor_units BIGINT NOT NULL,
  cancel_reason TEXT CHARACTER SET utf8mb4 NOT NULL,
  payment_instructions TEXT CHARACTER SET utf8mb4 NOT NULL,
  payment_due_at DATETIME(3) NULL,
  -- JSON: every state with its time.
  history TEXT CHARACTER SET ascii NOT NULL,
  version INT UNSIGNED NOT NULL,
  PRIMARY KEY (order_id),
  CONSTRAINT orders_total CHECK (total_minor_units >= 0)
) ENGINE = InnoDB;

-- What is left to do for an order (@weft/mesh/data's due rows).
CREATE TABLE IF NOT EXISTS sagas (
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The provider's token, only until payment has been asked.
  payment_method VARCHAR(100) CHARACTER SET utf8mb4 NULL,
  next_attempt_at DATETIME(3) NULL,
  lease_owner VARCHAR(64) CHARACTER SET ascii NULL,
  lease_until DATETIME(3) NULL,
  attempts INT UNSIGNED NOT NULL,
  traceparent VARCHAR(64) CHARACTER SET ascii NULL,
  PRIMARY KEY (order_id),
  KEY sagas_due (next_attempt_at)
) ENGINE = InnoDB;

-- One order a key. Of fifty who place at once with one key, the primary key lets one.
CREATE TABLE IF NOT EXISTS idempotency_keys (
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  idempotency_key VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  request_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (user_id, idempotency_key)
) ENGINE = InnoDB;
