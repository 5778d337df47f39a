ALTER TABLE contacts
  -- E.164; empty if unknown.
  ADD COLUMN phone VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER email,
  -- The device's address at the push gateway; empty if it has none.
  ADD COLUMN push_token VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER phone,
  ADD COLUMN notify_by_sms BOOLEAN NOT NULL DEFAULT FALSE AFTER notify_by_email,
  ADD COLUMN notify_by_push BOOLEAN NOT NULL DEFAULT FALSE AFTER notify_by_sms;
