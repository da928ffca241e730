-- 2,000 customers, 20,000 products, 20,000 orders of 1 to 5 items (60,000): the same on every run.

INSERT INTO customers (name, email)
SELECT first || ' ' || last, lower(first) || '.' || lower(last) || '.' || n || '@example.com'
FROM generate_series(1, 2000) n,
  LATERAL (SELECT
    (ARRAY['Ada', 'Grace', 'Linus', 'Barbara', 'Edsger', 'Margaret', 'Dennis', 'Radia'])[1 + n % 8] AS first,
    (ARRAY['Berg', 'Castro', 'Dubois', 'Evans', 'Fischer', 'Garcia', 'Haas', 'Ito', 'Jansen'])[1 + n % 9] AS last);

INSERT INTO products (name, category, description, price_cents, stock)
SELECT
  look || ' ' || material || ' ' || thing,
  (ARRAY['kitchen', 'garden', 'office', 'travel', 'outdoor'])[1 + n % 5],
  format('A %s %s made of %s, %s. %s. %s.', lower(look), lower(thing), lower(material), use, origin, care),
  490 + (n * 7919) % 19500,
  100000
FROM generate_series(1, 20000) n,
  LATERAL (SELECT
    (ARRAY['Sturdy', 'Folding', 'Compact', 'Classic', 'Light', 'Striped', 'Quiet'])[1 + n % 7] AS look,
    (ARRAY['Oak', 'Steel', 'Copper', 'Linen', 'Glass', 'Leather', 'Bamboo', 'Cork', 'Marble', 'Wool', 'Walnut'])[1 + n % 11] AS material,
    (ARRAY['Teapot', 'Lantern', 'Notebook', 'Backpack', 'Stool', 'Blanket', 'Kettle', 'Basket', 'Lamp', 'Tray',
           'Shelf', 'Mug', 'Clock'])[1 + n % 13] AS thing,
    (ARRAY['for long evenings on the balcony', 'for the desk of somebody who tidies up', 'that fits under every train seat',
           'for cooks who measure twice'])[1 + n % 4] AS use,
    (ARRAY['Designed in a former railway workshop and tried for a winter before it was sold',
           'Every one is numbered by hand and leaves the workshop in a reusable box'])[1 + n % 2] AS origin,
    (ARRAY['Wipe it with a dry cloth', 'Repaired free of charge for ten years',
           'Comes with a small brush and a spare screw'])[1 + n % 3] AS care);

INSERT INTO orders (customer_id, status, placed_at)
SELECT
  1 + (n * 31) % 2000,
  CASE WHEN n % 10 = 0 THEN 'paid' ELSE 'shipped' END,
  now() - (20001 - n) * interval '7 minutes'
FROM generate_series(1, 20000) n;

INSERT INTO order_items (order_id, line, product_id, quantity, price_cents)
SELECT orders.id, line, products.id, 1 + (orders.id + line) % 3, products.price_cents
FROM orders
CROSS JOIN LATERAL generate_series(1, 1 + orders.id % 5) line
JOIN products ON products.id = 1 + (orders.id * 17 + line * 101) % 20000;

UPDATE orders SET total_cents = sums.total
FROM (SELECT order_id, sum(quantity * price_cents) AS total FROM order_items GROUP BY order_id) sums
WHERE sums.order_id = orders.id;

CREATE INDEX products_category ON products (category, id);
CREATE INDEX products_words ON products USING gin (words);
CREATE INDEX orders_placed_at ON orders (placed_at DESC, id DESC);

ANALYZE;
