CREATE TABLE users (
  user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- The bucket that user_id carries: a hash of the address with which the account was opened. Shards own ranges of buckets.
  bucket SMALLINT UNSIGNED NOT NULL,
  -- Lower-cased by the service, so compared byte by byte. A hash of it gives the bucket: unique in its shard is unique.
  email VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  display_name VARCHAR(100) NOT NULL,
  -- Argon2id in PHC format, its parameters included.
  password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  registered_at DATETIME(3) NOT NULL,
  UNIQUE KEY users_email (email),
  KEY users_bucket (bucket),
  CONSTRAINT users_bucket_range CHECK (bucket < 1024)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
