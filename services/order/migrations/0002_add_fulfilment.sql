ALTER TABLE orders
  -- The carrier's number once it is SHIPPED.
  ADD COLUMN tracking_number VARCHAR(40) CHARACTER SET ascii NOT NULL DEFAULT '' AFTER payment_due_at,
  -- A customer's orders; their ids are in the order of their placing.
  ADD KEY orders_of_user (user_id, order_id);
