CREATE TABLE products (
    id    VARCHAR(64)  PRIMARY KEY,
    name  VARCHAR(200) NOT NULL,
    price BIGINT       NOT NULL CHECK (price >= 0) -- in hundredths
);

INSERT INTO products (id, name, price) VALUES
    ('coffee-1', 'Espresso', 450),
    ('coffee-2', 'Doppio', 550),
    ('coffee-3', 'Americano', 480),
    ('coffee-4', 'Cappuccino', 590),
    ('coffee-5', 'Flat White', 620),
    ('coffee-6', 'Latte Macchiato', 640),
    ('coffee-7', 'Cortado', 540),
    ('coffee-8', 'Cold Brew', 610),
    ('tea-1', 'Sencha', 490),
    ('tea-2', 'Darjeeling', 470),
    ('pastry-1', 'Croissant', 320),
    ('pastry-2', 'Cinnamon Roll', 390);
