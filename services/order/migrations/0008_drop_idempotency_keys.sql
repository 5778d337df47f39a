-- PlaceOrder's keys lie where all methods' do, in weft_idempotency. No release has had this table.
DROP TABLE idempotency_keys;
