ALTER TABLE users
  -- What the account's tokens allow, separated by spaces: "customer warehouse".
  ADD COLUMN scopes VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'customer',
  -- E.164; empty if unknown.
  ADD COLUMN phone VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  -- The device's address at the push gateway; empty if there is none.
  ADD COLUMN push_token VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ADD COLUMN notify_by_email BOOLEAN NOT NULL DEFAULT TRUE,
  ADD COLUMN notify_by_sms BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN notify_by_push BOOLEAN NOT NULL DEFAULT FALSE,
  -- From 1, one more with each change of the profile.
  ADD COLUMN version BIGINT UNSIGNED NOT NULL DEFAULT 1;
