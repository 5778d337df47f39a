-- Of the event's schema, when it was stored; upcast.ts makes later versions of it. The default: all that was stored before.
ALTER TABLE order_events
  ADD COLUMN schema_version SMALLINT UNSIGNED NOT NULL DEFAULT 1 AFTER type;
