-- Orders that OrderPlaced has told of: they exist, so they confirm or release themselves, and the sweep leaves them alone.
CREATE TABLE known_orders (
  order_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY
) ENGINE = InnoDB;
