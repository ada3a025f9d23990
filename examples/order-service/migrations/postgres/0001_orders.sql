-- Times are milliseconds since 1970, money is in hundredths.
CREATE TABLE orders (
    -- Bytes order ids, as in SQLite: a page ends at the same order whatever language the database speaks.
    id          VARCHAR(64) COLLATE "C" PRIMARY KEY,
    customer_id VARCHAR(64) COLLATE "C" NOT NULL,
    items       TEXT        NOT NULL, -- the lines, as a JSON array: always read and written together
    total       BIGINT      NOT NULL CHECK (total >= 0),
    priority    SMALLINT    NOT NULL CHECK (priority BETWEEN 1 AND 5),
    payment     VARCHAR(16) NOT NULL CHECK (payment IN ('pending', 'paid')),
    charge_id   TEXT,                 -- the provider's own, of any length
    attempts    INTEGER     NOT NULL, -- failed attempts to collect the payment after the order was placed
    retry_at    BIGINT      NOT NULL, -- when a pending payment is tried again
    created_at  BIGINT      NOT NULL,
    paid_at     BIGINT
);

CREATE INDEX orders_newest_first ON orders (created_at DESC, id DESC);
CREATE INDEX orders_payment_due ON orders (payment, retry_at);
