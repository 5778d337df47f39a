-- What SearchProducts finds: words of three letters and more, compared as the columns' collation does.
ALTER TABLE products ADD FULLTEXT KEY products_words (name, description);
