-- What customers said of the products that were suggested to them.
CREATE TABLE suggestion_feedback (
    product_id VARCHAR(64) PRIMARY KEY REFERENCES products (id),
    useful     BIGINT NOT NULL CHECK (useful >= 0),
    useless    BIGINT NOT NULL CHECK (useless >= 0)
);
