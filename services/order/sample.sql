-- One statement, to insert all rows or none. Does nothing if the table has rows.
INSERT INTO orders (id, user_id, items)
SELECT column1, column2, column3
FROM (VALUES
    ('22f4ee36-2c3e-450f-bb65-36e52656b183', '0a30cbc7-91f1-4637-832f-9ddb9978e1c5',
     '["6ab9e0c2-e7be-4120-a3e9-62c39b7dbfd7","4415fede-7462-4f12-b87f-ede596ec6ee2"]'),
    ('034735ae-b5c8-47dd-9b59-30eacc62473a', '0a30cbc7-91f1-4637-832f-9ddb9978e1c5',
     '["6962f4ff-b752-4103-b90c-1f9bcec30913","dff79aa1-6b13-4aeb-8dca-22a45322a293"]'),
    ('4b2f25c3-f0fb-4640-9fc8-a3066a8022f6', 'd6dd61c4-75a6-4424-91b2-ab740501c94f',
     '["5d210689-cca7-4e81-8437-05b20f658ad0"]')
) AS sample
WHERE NOT EXISTS (SELECT 1 FROM orders)
ON CONFLICT (id) DO NOTHING;
