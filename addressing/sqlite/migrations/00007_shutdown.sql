-- +goose Up

-- A drain of a neighbor may end its session too.
ALTER TABLE negative_intents ADD COLUMN shutdown INTEGER NOT NULL DEFAULT 0 CHECK (shutdown IN (0, 1) AND (shutdown = 0 OR neighbor <> ''));
