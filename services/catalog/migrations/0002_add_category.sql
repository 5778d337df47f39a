ALTER TABLE products
  -- "coffee-beans". Products from before there were categories are "other".
  ADD COLUMN category VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'other' AFTER description,
  -- A page of a category is a range of this.
  ADD KEY products_category (category, sku);
