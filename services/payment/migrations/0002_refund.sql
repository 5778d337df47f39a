-- What waited for a person to refund it is due for the worker now. Refunded by hand meanwhile, the provider says so.
UPDATE payments SET next_attempt_at = updated_at WHERE wanted = 'REFUND' AND state = 'CAPTURED';
