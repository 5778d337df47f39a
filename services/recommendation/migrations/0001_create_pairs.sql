-- In how many orders two products were together. Each pair is here twice, from either side.
CREATE TABLE pairs (
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  other VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  orders BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (sku, other),
  KEY pairs_top (sku, orders DESC, other)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- How often a product's page was looked at: decides among those bought together equally often.
CREATE TABLE views (
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  views BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
