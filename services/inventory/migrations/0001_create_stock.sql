CREATE TABLE stock (
  sku VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  -- In the warehouse, held or not.
  on_hand BIGINT NOT NULL,
  -- Promised to orders that are not yet confirmed.
  held BIGINT NOT NULL,
  -- The net below the conditional updates: whatever the code does, nothing is sold twice.
  CONSTRAINT stock_held_not_negative CHECK (held >= 0),
  CONSTRAINT stock_held_on_hand CHECK (held <= on_hand)
) ENGINE = InnoDB;
