-- Who calls. A user belongs to one tenant and may have several keys, so that one can be replaced by another.
CREATE TABLE users (
    id        VARCHAR(64) COLLATE "C" PRIMARY KEY,
    tenant_id VARCHAR(64) COLLATE "C" NOT NULL
);

CREATE TABLE api_keys (
    -- SHA-256 of the key, in hexadecimal: whoever reads the table learns no key.
    key_sha256 VARCHAR(64) COLLATE "C" PRIMARY KEY CHECK (length(key_sha256) = 64),
    user_id    VARCHAR(64) COLLATE "C" NOT NULL REFERENCES users (id)
);

INSERT INTO users (id, tenant_id) VALUES
    ('ada', 'harbour'),
    ('ben', 'harbour'),
    ('cleo', 'station'),
    ('dan', 'station');

-- demo-harbour-ada, demo-harbour-ben, demo-station-cleo, demo-station-dan: known to everybody who reads the manual.
INSERT INTO api_keys (key_sha256, user_id) VALUES
    ('f74f9bc1e5400b86e8389c07ae6a58e2f7e47f1342ed677f33500ccf7e484e64', 'ada'),
    ('36b93adcc2ba450747de6859de6bcc012aef68f3818e4db9124684e17b945c4c', 'ben'),
    ('93a4e6fa21ada03dbb637e3f14259fd7f6f714218b52b356a1749c8571c79ec9', 'cleo'),
    ('ecea3b5196a8e5a4bcb4aad518f592cef2c24ff2c2d5d3bbd822f740fc2f55fe', 'dan');
