-- One row for each order that has reserved, or was released before it could.
CREATE TABLE reservations (
  order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  CONSTRAINT reservations_state CHECK (state IN ('HELD', 'COMMITTED', 'RELEASED'))
) ENGINE = InnoDB;

CREATE TABLE reservation_lines (
  order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  sku VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  quantity INT NOT NULL,
  PRIMARY KEY (order_id, sku),
  CONSTRAINT reservation_lines_quantity CHECK (quantity > 0),
  CONSTRAINT reservation_lines_reservation FOREIGN KEY (order_id) REFERENCES reservations (order_id),
  CONSTRAINT reservation_lines_stock FOREIGN KEY (sku) REFERENCES stock (sku)
) ENGINE = InnoDB;
