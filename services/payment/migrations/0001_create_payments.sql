-- One payment an order, ever. Rows with next_attempt_at are due for the worker (@weft/mesh/data's due rows).
CREATE TABLE IF NOT EXISTS payments (
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- CAPTURE, VOID; REFUND is for a person. NULL: nothing more is asked of it.
  wanted VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  -- Both NULL if the order was cancelled before anything was attempted.
  currency_code CHAR(3) CHARACTER SET ascii NULL,
  amount_minor_units BIGINT NULL,
  provider_reference VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason TEXT CHARACTER SET utf8mb4 NOT NULL,
  requested_at DATETIME(3) NULL,
  updated_at DATETIME(3) NOT NULL,
  version INT UNSIGNED NOT NULL,
  next_attempt_at DATETIME(3) NULL,
  lease_owner VARCHAR(64) CHARACTER SET ascii NULL,
  lease_until DATETIME(3) NULL,
  attempts INT UNSIGNED NOT NULL,
  traceparent VARCHAR(64) CHARACTER SET ascii NULL,
  PRIMARY KEY (order_id),
  KEY payments_due (next_attempt_at),
  KEY payments_wanted (wanted),
  CONSTRAINT payments_amount CHECK (amount_minor_units >= 0)
) ENGINE = InnoDB;
