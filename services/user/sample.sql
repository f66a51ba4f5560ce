-- One statement, to insert all rows or none. Does nothing if the table has rows.
INSERT INTO users (id, name, address, email)
SELECT column1, column2, column3, ''
FROM (VALUES
    ('0a30cbc7-91f1-4637-832f-9ddb9978e1c5', 'User One', '1234 5th Street'),
    ('d6dd61c4-75a6-4424-91b2-ab740501c94f', 'User Two', '6th Ave'),
    ('32cc174b-3586-4263-9c67-fce988d246ca', 'User Three', 'Down by the river')
) AS sample
WHERE NOT EXISTS (SELECT 1 FROM users)
ON CONFLICT (id) DO NOTHING;
