ALTER TABLE reservations
  -- Since when it is held; NULL once it is not, and for those from before reservations expired: they are never swept.
  ADD COLUMN held_at DATETIME(3) NULL,
  ADD KEY reservations_held (held_at),
  DROP CONSTRAINT reservations_state,
  ADD CONSTRAINT reservations_known_state CHECK (state IN ('HELD', 'COMMITTED', 'RELEASED', 'EXPIRED'));
