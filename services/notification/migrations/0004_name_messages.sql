-- Assignments happen from left to right.
UPDATE messages SET event_id = message_id, message_id = CONCAT(message_id, '_email') WHERE event_id = '';
