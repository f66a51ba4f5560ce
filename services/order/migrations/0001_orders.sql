-- Both SQLite and PostgreSQL run this.
CREATE TABLE orders (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    -- A JSON list of ids. One value, because the items are written and read together, in their
    -- order, and never searched: so every change of an order is one statement.
    items TEXT NOT NULL
);

CREATE INDEX orders_of_user ON orders (user_id, id);
