-- One row for each delivery taken in; its lock lets one batch of it in at a time.
CREATE TABLE IF NOT EXISTS imports (
  import_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- Lines that are in stock, and lines that are not; their sum is the lines seen.
  accepted BIGINT NOT NULL DEFAULT 0,
  rejected BIGINT NOT NULL DEFAULT 0
) ENGINE = InnoDB;

-- Lines seen, in ranges that do not overlap and are 1,000 lines long at most. Kept: a delivery note may come again a year later.
CREATE TABLE IF NOT EXISTS import_ranges (
  import_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  first_line BIGINT NOT NULL,
  last_line BIGINT NOT NULL,
  PRIMARY KEY (import_id, first_line),
  CONSTRAINT import_ranges_length CHECK (last_line >= first_line AND last_line < first_line + 1000)
) ENGINE = InnoDB;

-- Of the lines seen, those that are not in stock. Sent again, they are looked at again.
CREATE TABLE IF NOT EXISTS import_rejections (
  import_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  line BIGINT NOT NULL,
  -- As it came, cut off where no SKU is longer.
  sku VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reason VARCHAR(200) NOT NULL,
  PRIMARY KEY (import_id, line)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
