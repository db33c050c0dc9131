-- +goose Up

-- A drain may be of a neighbor, and has a time at which routes leave. SQLite
-- changes no CHECK in place.
CREATE TABLE negative_intents_next (
  id         TEXT PRIMARY KEY CHECK (length(id) = 32),
  account_id TEXT NOT NULL,
  cidr       TEXT NOT NULL,
  first      BLOB,
  site       TEXT NOT NULL,
  neighbor   TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('emergency', 'drain', 'block', 'owner')),
  author     TEXT NOT NULL CHECK (author <> ''),
  reason     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  down_at    INTEGER,
  CHECK ((cidr <> '') + (site <> '') + (neighbor <> '') = 1),
  CHECK ((cidr <> '') = (first IS NOT NULL))
) STRICT;
INSERT INTO negative_intents_next (id, account_id, cidr, first, site, neighbor, kind, author, reason, created_at, expires_at)
  SELECT id, account_id, cidr, first, site, '', kind, author, reason, created_at, expires_at FROM negative_intents;
DROP TABLE negative_intents;
ALTER TABLE negative_intents_next RENAME TO negative_intents;
CREATE INDEX negative_intents_account ON negative_intents (account_id);
CREATE INDEX negative_intents_cidr ON negative_intents (cidr);
CREATE INDEX negative_intents_first ON negative_intents (first);
