ALTER TABLE contacts
  -- As the user has it in the profile.
  ADD COLUMN notify_by_email BOOLEAN NOT NULL DEFAULT TRUE,
  -- Of the user, when this was told; an event that comes late changes nothing.
  ADD COLUMN version BIGINT UNSIGNED NOT NULL DEFAULT 0;
