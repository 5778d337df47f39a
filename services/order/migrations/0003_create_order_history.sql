-- Customers' orders as ListOrders shows them: a read model, fed by the order's own events. It may be emptied at any time: the
-- next start builds it again from order_events.
CREATE TABLE IF NOT EXISTS order_history (
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  total_minor_units BIGINT NOT NULL,
  -- Of all lines.
  item_count INT UNSIGNED NOT NULL,
  placed_at DATETIME(3) NOT NULL,
  -- The order's, of the last event seen.
  version INT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id, order_id)
) ENGINE = InnoDB;

-- With the version: what a customer's watermark is added up from, without touching the rows.
ALTER TABLE orders
  DROP KEY orders_of_user,
  ADD KEY orders_of_user (user_id, order_id, version);
