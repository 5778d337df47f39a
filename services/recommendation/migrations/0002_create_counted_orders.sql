-- Which orders are in the table pairs, each once, however its confirmation was heard of.
CREATE TABLE counted_orders (
  order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- With a blank between two: the products that were paired.
  skus VARCHAR(1300) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  counted_at DATETIME(3) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
