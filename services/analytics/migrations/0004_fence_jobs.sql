ALTER TABLE jobs
  -- Claims so far: what a run has to show when it commits.
  ADD COLUMN lease_token BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER lease_until,
  -- Runs in a row that failed, and what the last one failed with.
  ADD COLUMN failures INT UNSIGNED NOT NULL DEFAULT 0 AFTER attempts,
  ADD COLUMN last_error VARCHAR(500) CHARACTER SET utf8mb4 NULL AFTER failures;
