-- +goose Up

-- Which accounts have changed, and in which order: one row each, with a number
-- that is never used twice. Triggers write it (changed.go), so that nothing
-- passes it by. An empty account_id stands for rows of which nobody knows whose
-- they are.
CREATE TABLE changed (
  n          INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL UNIQUE
) STRICT;
