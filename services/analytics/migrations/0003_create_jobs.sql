-- Background work that is due again and again; see DueRowsOptions in @weft/mesh/data for the columns.
CREATE TABLE jobs (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  next_attempt_at DATETIME(3) NULL,
  lease_owner VARCHAR(64) NULL,
  lease_until DATETIME(3) NULL,
  attempts INT UNSIGNED NOT NULL,
  traceparent VARCHAR(64) NULL,
  KEY jobs_next_attempt_at (next_attempt_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

INSERT INTO jobs (name, next_attempt_at, attempts) VALUES
  ('leaderboard', '2000-01-01', 0),
  ('purge', '2000-01-01', 0),
  ('roll-up', '2000-01-01', 0);
