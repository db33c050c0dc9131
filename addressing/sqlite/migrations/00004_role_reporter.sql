-- +goose Up

-- The role of monitors and edge machines: they say what they saw.
CREATE TABLE tokens_v4 (
  id           TEXT PRIMARY KEY CHECK (length(id) = 32),
  account_id   TEXT REFERENCES accounts (id) ON DELETE RESTRICT,
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('admin', 'on-demand', 'read-only', 'operator', 'approve', 'break-glass', 'speaker', 'reporter')),
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
  CHECK (account_id IS NULL OR role NOT IN ('approve', 'break-glass', 'speaker', 'reporter'))
) STRICT;
INSERT INTO tokens_v4 (id, account_id, name, role, hash, suffix, cidrs, created_at, expires_at, revoked_at, last_used_at, replaces, created_by, version)
  SELECT id, account_id, name, role, hash, suffix, cidrs, created_at, expires_at, revoked_at, last_used_at, replaces, created_by, version FROM tokens;
DROP TABLE tokens;
ALTER TABLE tokens_v4 RENAME TO tokens;
CREATE INDEX tokens_account ON tokens (account_id);
