-- What operators did to this service. A row without an outcome was begun and not ended: under way, or its process died.
CREATE TABLE IF NOT EXISTS weft_audit (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- SPIFFE id of whoever asked
  peer VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- The person, as the peer says
  claimed_operator VARCHAR(128) NOT NULL,
  began_at DATETIME(3) NOT NULL,
  ended_at DATETIME(3) NULL,
  action VARCHAR(64) CHARACTER SET ascii NOT NULL,
  target VARCHAR(500) NOT NULL,
  dry_run BOOLEAN NOT NULL,
  reason VARCHAR(1000) NOT NULL,
  outcome VARCHAR(1000) NULL,
  failed BOOLEAN NOT NULL,
  trace_id VARCHAR(32) CHARACTER SET ascii NOT NULL,
  KEY began_at (began_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
