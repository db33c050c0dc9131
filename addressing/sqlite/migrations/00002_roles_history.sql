-- +goose Up

-- A CHECK cannot be altered: the table is made anew, with two more roles and
-- with who made each token.
CREATE TABLE tokens_v2 (
  id           TEXT PRIMARY KEY CHECK (length(id) = 32),
  account_id   TEXT REFERENCES accounts (id) ON DELETE RESTRICT,
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('admin', 'on-demand', 'read-only', 'operator', 'approve', 'break-glass')),
  hash         TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
  suffix       TEXT NOT NULL,
  cidrs        TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  revoked_at   INTEGER,
  last_used_at INTEGER,
  replaces     TEXT NOT NULL,
  created_by   TEXT NOT NULL,
  version      INTEGER NOT NULL CHECK (version > 0),
  CHECK (account_id IS NOT NULL OR role NOT IN ('admin', 'on-demand')),
  CHECK (account_id IS NULL OR role NOT IN ('approve', 'break-glass'))
) STRICT;
INSERT INTO tokens_v2 (id, account_id, name, role, hash, suffix, cidrs, created_at, expires_at, revoked_at, last_used_at, replaces, created_by, version)
  SELECT id, account_id, name, role, hash, suffix, cidrs, created_at, expires_at, revoked_at, last_used_at, replaces, '', version FROM tokens;
DROP TABLE tokens;
ALTER TABLE tokens_v2 RENAME TO tokens;
CREATE INDEX tokens_account ON tokens (account_id);

-- Which records tell of which object: what they changed, and the prefix that
-- it belongs to. Written with each record, so that the history of one prefix
-- does not read the whole log.
CREATE TABLE audit_objects (
  object_id TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  PRIMARY KEY (object_id, seq)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO audit_objects (object_id, seq)
  SELECT o.value, a.seq FROM audit a, json_each(a.record, '$.objects') o;
INSERT OR IGNORE INTO audit_objects (object_id, seq)
  SELECT json_extract(o.value, '$.prefix_id'), a.seq
  FROM audit a, (SELECT '$.before' AS side UNION ALL SELECT '$.after') s,
    (SELECT '.bgp_prefixes' AS noun UNION ALL SELECT '.bindings' UNION ALL SELECT '.delegations') n,
    json_each(a.record, s.side || n.noun) o;
