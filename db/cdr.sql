-- cdr.sql - version 3: call records

-- The record is JSON: its fields may grow without another version of this file.
CREATE TABLE cdr (
	id TEXT PRIMARY KEY,
	seq INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	ended_at INTEGER NOT NULL,
	record TEXT
);

CREATE INDEX cdr_started ON cdr (started_at);
CREATE INDEX cdr_open ON cdr (id) WHERE ended_at = 0;

-- For people, as bindings is.
CREATE VIEW calls AS
SELECT datetime(started_at / 1000, 'unixepoch') AS started_at,
	json_extract(record, '$.from.received') AS caller,
	json_extract(record, '$.to.received') AS called,
	json_extract(record, '$.a.peer') AS from_peer,
	json_extract(record, '$.b.peer') AS to_peer,
	json_extract(record, '$.duration_ms') / 1000.0 AS seconds,
	json_extract(record, '$.status') AS status,
	json_extract(record, '$.cause') AS cause, id
FROM cdr ORDER BY started_at;
