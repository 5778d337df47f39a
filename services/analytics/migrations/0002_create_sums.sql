CREATE TABLE funnel_daily (
  -- In UTC, as all days here.
  day DATE NOT NULL,
  kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  events BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (day, kind)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE revenue_minute (
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  minute DATETIME NOT NULL,
  captured BIGINT NOT NULL,
  refunded BIGINT NOT NULL,
  PRIMARY KEY (currency_code, minute)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- What is known of an order: its events come in any order, and a cancelled one takes back exactly what it has added.
CREATE TABLE order_sales (
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- NULL: not confirmed yet.
  sold_on DATE NULL,
  -- As in facts; NULL unless it counts at the moment.
  order_lines MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
  cancelled BOOLEAN NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  KEY order_sales_updated_at (updated_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Sold less cancelled, by the day of the sale.
CREATE TABLE sales_daily (
  day DATE NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  quantity BIGINT NOT NULL,
  PRIMARY KEY (day, sku)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- The leaderboard: the sum of sales_daily from the window's first day on. Redis has a copy.
CREATE TABLE product_scores (
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  quantity BIGINT NOT NULL,
  -- One more with each change.
  version BIGINT UNSIGNED NOT NULL,
  -- Changed since it was copied.
  dirty BOOLEAN NOT NULL,
  KEY product_scores_dirty (dirty, sku),
  KEY product_scores_quantity (quantity DESC, sku)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- One row. Whoever changes a sum holds its lock.
CREATE TABLE sales_window (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  first_day DATE NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

INSERT INTO sales_window (id, first_day) VALUES (1, '2000-01-01');
