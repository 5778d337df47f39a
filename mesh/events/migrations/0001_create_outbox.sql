-- Events that this schema's transactions have told of. Published ones are kept for a while, to publish again what a broker lost.
CREATE TABLE weft_outbox (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  type VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  aggregate_id VARCHAR(255) NOT NULL,
  aggregate_version BIGINT UNSIGNED NOT NULL,
  -- weft.v1.EventEnvelope
  envelope MEDIUMBLOB NOT NULL,
  -- W3C trace context of the call that made the change
  traceparent VARCHAR(64) CHARACTER SET ascii NULL,
  created_at DATETIME(3) NOT NULL,
  -- A relay is publishing it; after this moment another one may
  claimed_until DATETIME(3) NULL,
  published_at DATETIME(3) NULL,
  UNIQUE KEY event_id (event_id),
  KEY unpublished (published_at, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
