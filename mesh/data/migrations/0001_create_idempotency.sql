-- What callers have asked for under a key, and how it was answered: written in the transaction of the effect, kept for a day.
CREATE TABLE IF NOT EXISTS weft_idempotency (
  -- The end user's id; empty for nobody. Keys of two callers are two keys.
  caller VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- "package.Service/Method"
  method VARCHAR(150) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Bytes, so that a space at the end counts.
  idempotency_key VARBINARY(400) NOT NULL,
  -- SHA-256 in hex.
  request_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The encoded answer, or what it can be made from. NULL only inside of the transaction that writes the row.
  answer MEDIUMBLOB NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (caller, method, idempotency_key),
  KEY created_at (created_at)
) ENGINE = InnoDB;
