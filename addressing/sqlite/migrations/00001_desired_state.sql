-- +goose Up

-- One row: whose database this is. Compared at every start.
CREATE TABLE stamp (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  environment TEXT NOT NULL CHECK (environment <> '')
) STRICT;

CREATE TABLE accounts (
  id         TEXT PRIMARY KEY CHECK (length(id) = 32),
  name       TEXT NOT NULL UNIQUE CHECK (name <> ''),
  kind       TEXT NOT NULL CHECK (kind IN ('customer', 'first-party')),
  created_at INTEGER NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE TABLE services (
  id         TEXT PRIMARY KEY CHECK (length(id) = 32),
  name       TEXT NOT NULL UNIQUE CHECK (name <> ''),
  min_sites  INTEGER NOT NULL CHECK (min_sites > 0),
  created_at INTEGER NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0)
) STRICT;

-- first is the first address as 16 bytes (IPv4 mapped into IPv6), so that
-- overlaps are found by an index.
CREATE TABLE prefixes (
  id                    TEXT PRIMARY KEY CHECK (length(id) = 32),
  account_id            TEXT NOT NULL REFERENCES accounts (id) ON DELETE RESTRICT,
  cidr                  TEXT NOT NULL,
  first                 BLOB NOT NULL CHECK (length(first) = 16),
  asn                   INTEGER NOT NULL CHECK (asn BETWEEN 1 AND 4294967294),
  description           TEXT CHECK (length(description) <= 1000),
  state                 TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'pending_delete', 'tombstone')),
  control               TEXT NOT NULL CHECK (control IN ('api', 'bgp')),
  on_demand_enabled     INTEGER NOT NULL CHECK (on_demand_enabled IN (0, 1)),
  on_demand_locked      INTEGER NOT NULL CHECK (on_demand_locked IN (0, 1)),
  delegate_loa_creation INTEGER NOT NULL CHECK (delegate_loa_creation IN (0, 1)),
  loa_document_id       TEXT,
  irr                   TEXT NOT NULL,
  rpki                  TEXT NOT NULL,
  ownership             TEXT NOT NULL,
  ownership_token       TEXT NOT NULL,
  accepted_risks        TEXT NOT NULL,
  delete_after          INTEGER,
  created_at            INTEGER NOT NULL,
  modified_at           INTEGER NOT NULL,
  version               INTEGER NOT NULL CHECK (version > 0),
  CHECK ((state = 'pending_delete') = (delete_after IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX prefixes_live_cidr ON prefixes (cidr) WHERE state IN ('pending', 'approved');
CREATE INDEX prefixes_account ON prefixes (account_id);
CREATE INDEX prefixes_cidr ON prefixes (cidr);
CREATE INDEX prefixes_first ON prefixes (first);

CREATE TABLE bgp_prefixes (
  id                      TEXT PRIMARY KEY CHECK (length(id) = 32),
  prefix_id               TEXT NOT NULL REFERENCES prefixes (id) ON DELETE RESTRICT,
  cidr                    TEXT NOT NULL,
  prepend                 INTEGER NOT NULL CHECK (prepend BETWEEN 0 AND 3),
  auto_advertise_withdraw INTEGER NOT NULL CHECK (auto_advertise_withdraw IN (0, 1)),
  advertised              INTEGER NOT NULL CHECK (advertised IN (0, 1)),
  advertised_modified_at  INTEGER,
  resting                 TEXT NOT NULL CHECK (resting IN ('advertised', 'withdrawn')),
  sites                   TEXT NOT NULL CHECK (json_valid(sites)),
  created_at              INTEGER NOT NULL,
  modified_at             INTEGER NOT NULL,
  version                 INTEGER NOT NULL CHECK (version > 0),
  UNIQUE (prefix_id, cidr)
) STRICT;
CREATE INDEX bgp_prefixes_cidr ON bgp_prefixes (cidr);

CREATE TABLE bindings (
  id         TEXT PRIMARY KEY CHECK (length(id) = 32),
  prefix_id  TEXT NOT NULL REFERENCES prefixes (id) ON DELETE RESTRICT,
  cidr       TEXT NOT NULL,
  service_id TEXT NOT NULL REFERENCES services (id) ON DELETE RESTRICT,
  active     INTEGER NOT NULL CHECK (active IN (0, 1)),
  created_at INTEGER NOT NULL,
  UNIQUE (prefix_id, cidr)
) STRICT;
CREATE INDEX bindings_service ON bindings (service_id);

-- account_id is no foreign key: an intent outlives everything but its lifting.
CREATE TABLE negative_intents (
  id         TEXT PRIMARY KEY CHECK (length(id) = 32),
  account_id TEXT NOT NULL,
  cidr       TEXT NOT NULL,
  first      BLOB,
  site       TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('emergency', 'drain', 'block', 'owner')),
  author     TEXT NOT NULL CHECK (author <> ''),
  reason     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  CHECK ((cidr <> '') <> (site <> '')),
  CHECK ((cidr <> '') = (first IS NOT NULL))
) STRICT;
CREATE INDEX negative_intents_account ON negative_intents (account_id);
CREATE INDEX negative_intents_cidr ON negative_intents (cidr);
CREATE INDEX negative_intents_first ON negative_intents (first);

CREATE TABLE tokens (
  id           TEXT PRIMARY KEY CHECK (length(id) = 32),
  account_id   TEXT REFERENCES accounts (id) ON DELETE RESTRICT,
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('admin', 'on-demand', 'read-only', 'operator')),
  hash         TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
  suffix       TEXT NOT NULL,
  cidrs        TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  revoked_at   INTEGER,
  last_used_at INTEGER,
  replaces     TEXT NOT NULL,
  version      INTEGER NOT NULL CHECK (version > 0),
  CHECK (account_id IS NOT NULL OR role IN ('read-only', 'operator'))
) STRICT;
CREATE INDEX tokens_account ON tokens (account_id);

CREATE TABLE delegations (
  id                   TEXT PRIMARY KEY CHECK (length(id) = 32),
  prefix_id            TEXT NOT NULL REFERENCES prefixes (id) ON DELETE RESTRICT,
  cidr                 TEXT NOT NULL,
  delegated_account_id TEXT NOT NULL CHECK (length(delegated_account_id) = 32),
  created_at           INTEGER NOT NULL,
  modified_at          INTEGER NOT NULL,
  version              INTEGER NOT NULL CHECK (version > 0),
  UNIQUE (prefix_id, cidr, delegated_account_id)
) STRICT;

-- record is the canonical JSON that hash covers, after the hash before it.
CREATE TABLE audit (
  seq        INTEGER PRIMARY KEY CHECK (seq > 0),
  change_id  TEXT NOT NULL UNIQUE,
  at         INTEGER NOT NULL,
  account_id TEXT NOT NULL,
  actor      TEXT NOT NULL,
  record     TEXT NOT NULL,
  hash       TEXT NOT NULL CHECK (length(hash) = 64)
) STRICT;
CREATE INDEX audit_account ON audit (account_id, seq);
CREATE INDEX audit_at ON audit (at);

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
