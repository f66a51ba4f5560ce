-- Both SQLite and PostgreSQL run this. The defaults are for the orders from before, and for those that a program from
-- before inserts beside this one: they are visible, and have reserved nothing.

-- What is happening to the order, as in src/store.rs.
ALTER TABLE orders ADD COLUMN state TEXT NOT NULL DEFAULT 'placed';

-- Grows with each change, and is never less than what the item service has seen: 0 if that is nothing.
ALTER TABLE orders ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

-- For the reconciler: only a few orders are not placed.
CREATE INDEX unfinished_orders ON orders (id) WHERE state <> 'placed';
