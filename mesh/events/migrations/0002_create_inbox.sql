-- Events whose effect is in this schema, so that one that is delivered again changes nothing.
CREATE TABLE weft_inbox (
  consumer VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  event_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  handled_at DATETIME(3) NOT NULL,
  PRIMARY KEY (consumer, event_id),
  KEY handled_at (handled_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
