ALTER TABLE orders
  -- CancellationCause without its prefix; empty if it is not cancelled, or nobody knows why.
  ADD COLUMN cancel_cause VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER cancel_reason,
  -- Of the rules by which the row was made from its events; made by others, it is made anew when it is loaded.
  ADD COLUMN fold_version SMALLINT UNSIGNED NOT NULL DEFAULT 1 AFTER version;
