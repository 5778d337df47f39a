CREATE TABLE products (
  -- Compared byte by byte, so that the order of pages is the order of the index whatever the server's default collation.
  sku VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  description VARCHAR(2000) NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  price_minor_units BIGINT NOT NULL,
  -- From 1, one more with each change; a change names the version that it was decided on.
  version BIGINT UNSIGNED NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  CONSTRAINT products_price_not_negative CHECK (price_minor_units >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
