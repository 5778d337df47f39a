-- When an order came into its state. The default is for instances of the version before, which do not write it.
ALTER TABLE orders
  ADD COLUMN state_since DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) AFTER state;

-- Each event moves the order to another state, so it is the time of the last.
UPDATE orders AS o JOIN order_events AS e ON e.order_id = o.order_id AND e.version = o.version
SET o.state_since = e.occurred_at;

-- What waits for the warehouse, the oldest first.
ALTER TABLE orders ADD KEY orders_in_state (state, state_since, order_id);
