-- +goose Up

-- When a route that was withdrawn leaves; until then it is de-preferred.
ALTER TABLE bgp_prefixes ADD COLUMN down_at INTEGER;
