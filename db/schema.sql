-- schema.sql - version 1 of the database; see README.md for the tables in words
-- A later version is a new file here and a new step in sbc/store/migrate.c.

PRAGMA application_id = 1396851505; -- "SBC1", for file(1)

CREATE TABLE binding (
	id INTEGER PRIMARY KEY,
	aor TEXT,
	phone TEXT,
	realm TEXT,
	contact TEXT,
	call_id TEXT,
	instance TEXT,
	reg_id INTEGER NOT NULL,
	path TEXT,
	user_agent TEXT,
	transport INTEGER NOT NULL,
	source TEXT,
	local TEXT,
	registered_at INTEGER NOT NULL
);

-- What moves with each refresh, apart and narrow: a hundred of these fit into
-- one page, so that a round of refreshes writes few of them.
CREATE TABLE binding_state (
	id INTEGER PRIMARY KEY,
	seq INTEGER NOT NULL,
	cseq INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	last_seen INTEGER NOT NULL
);

-- For people: one line per binding, times readable.
CREATE VIEW bindings AS
SELECT b.id, b.aor, b.phone, b.realm, b.contact, b.source, b.local, b.transport,
	datetime(s.expires_at / 1000, 'unixepoch') AS expires_at,
	datetime(b.registered_at / 1000, 'unixepoch') AS registered_at,
	datetime(s.last_seen / 1000, 'unixepoch') AS last_seen,
	b.user_agent, b.instance, b.reg_id, b.path, b.call_id, s.cseq
FROM binding AS b JOIN binding_state AS s ON s.id = b.id;
