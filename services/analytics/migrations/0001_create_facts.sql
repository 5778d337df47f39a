-- One row an event: what the sums are made of. Inserted by consumers, hundreds a statement, and touched by nobody else but the roll-up.
CREATE TABLE facts (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- Longer than the inbox remembers: an event that is published again from its outbox weeks later counts once all the same.
  event_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The message's name without its package: "OrderConfirmed".
  kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  aggregate_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  occurred_at DATETIME(3) NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NULL,
  minor_units BIGINT NULL,
  -- Of OrderConfirmed: [["<sku>", <quantity>], ...]
  order_lines MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
  rolled_up BOOLEAN NOT NULL DEFAULT FALSE,
  UNIQUE KEY facts_event_id (event_id),
  KEY facts_rolled_up (rolled_up, id),
  KEY facts_occurred_at (occurred_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
