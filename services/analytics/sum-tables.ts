import type { ProjectionTable } from "@weft/mesh/events";

const word = (length: number) => `VARCHAR(${length}) CHARACTER SET ascii COLLATE ascii_bin`;
const currency = "CHAR(3) CHARACTER SET ascii COLLATE ascii_bin";
const ending = "ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";

/** The sums' tables as migration 0002 makes them; a test compares the two. */
export const sumTables: readonly ProjectionTable[] = [
  {
    name: "funnel_daily",
    create: (name) => `CREATE TABLE ${name} (
      day DATE NOT NULL,
      kind ${word(64)} NOT NULL,
      events BIGINT UNSIGNED NOT NULL,
      PRIMARY KEY (day, kind)
    ) ${ending}`,
  },
  {
    name: "revenue_minute",
    create: (name) => `CREATE TABLE ${name} (
      currency_code ${currency} NOT NULL,
      minute DATETIME NOT NULL,
      captured BIGINT NOT NULL,
      refunded BIGINT NOT NULL,
      PRIMARY KEY (currency_code, minute)
    ) ${ending}`,
  },
  {
    name: "order_sales",
    create: (name) => `CREATE TABLE ${name} (
      order_id ${word(64)} NOT NULL PRIMARY KEY,
      sold_on DATE NULL,
      order_lines MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
      cancelled BOOLEAN NOT NULL,
      updated_at DATETIME(3) NOT NULL,
      KEY order_sales_updated_at (updated_at)
    ) ${ending}`,
  },
  {
    name: "sales_daily",
    create: (name) => `CREATE TABLE ${name} (
      day DATE NOT NULL,
      sku ${word(64)} NOT NULL,
      quantity BIGINT NOT NULL,
      PRIMARY KEY (day, sku)
    ) ${ending}`,
  },
  {
    name: "product_scores",
    create: (name) => `CREATE TABLE ${name} (
      sku ${word(64)} NOT NULL PRIMARY KEY,
      quantity BIGINT NOT NULL,
      version BIGINT UNSIGNED NOT NULL,
      dirty BOOLEAN NOT NULL,
      KEY product_scores_dirty (dirty, sku),
      KEY product_scores_quantity (quantity DESC, sku)
    ) ${ending}`,
  },
];
