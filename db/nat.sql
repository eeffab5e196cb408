-- nat.sql - version 2: what nat/ knows of the way to a binding, and the history
-- of each phone's flows

ALTER TABLE binding ADD COLUMN nat_flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_evidence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_alg INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_mapping INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_filter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_announced TEXT;
ALTER TABLE binding ADD COLUMN nat_floor_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_ceiling_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_interval_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE binding ADD COLUMN nat_phase_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE history (
	seq INTEGER PRIMARY KEY,
	at INTEGER NOT NULL,
	phone TEXT,
	aor TEXT,
	binding INTEGER NOT NULL,
	event TEXT,
	cause TEXT,
	transport INTEGER NOT NULL,
	source TEXT,
	local TEXT,
	expires_at INTEGER NOT NULL,
	proved_at INTEGER NOT NULL,
	pings INTEGER NOT NULL,
	unanswered INTEGER NOT NULL,
	rtt_us TEXT,
	reason TEXT
);

CREATE INDEX history_of_phone ON history (phone, at);

-- For people, as bindings is.
CREATE VIEW flows AS
SELECT phone, aor, datetime(at / 1000, 'unixepoch') AS at, event, cause, source,
	local, transport,
	CASE proved_at WHEN 0 THEN NULL
		ELSE datetime(proved_at / 1000, 'unixepoch') END AS proved_at,
	pings, unanswered, rtt_us, reason, binding
FROM history ORDER BY seq;
