# Holdfast's tasks. `make` alone prints this list.
# Needed: Go, gcc and make. `make interop` needs root as well and installs the rest itself.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
TOOL     := $(GO) tool -modfile=$(CURDIR)/cmd/internal/tools/go.mod
BENCH    ?= .
COUNT    ?= 1
FUZZTIME ?= 30s
RACE     := ./addressing/... ./breaker/... ./snapshots/... ./bgp/... ./cmd/holdfastd/...
# Packages with tests behind the build tag `interop`, found, not listed: a new one cannot be forgotten.
INTEROP   = $$(grep -rlE --include='*_test.go' '^//go:build .*interop' . | xargs -r -n1 dirname | sort -u)
GENERATED = find . -name '*.gen.go' | LC_ALL=C sort | xargs -r sha256sum

.PHONY: help build demo fuzz test interop interop-packages race bench lint generate clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/holdfastd, bin/holdfast, bin/holdfast-drill and bin/leaklint
	CGO_ENABLED=1 $(GO) build -trimpath -o bin/holdfastd ./cmd/holdfastd
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/holdfast ./cmd/holdfast
	CGO_ENABLED=1 $(GO) build -trimpath -o bin/holdfast-drill ./cmd/holdfast-drill
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/leaklint ./cmd/leaklint

demo: build ## replay 20 February against a real daemon and a real neighbor
	CGO_ENABLED=1 $(GO) build -trimpath -o bin/holdfast-demo ./cmd/internal/demo
	./bin/holdfast-demo $(DEMOFLAGS)

test: ## vet, then run every test that needs no root
	CGO_ENABLED=1 $(GO) vet ./...
	CGO_ENABLED=1 $(GO) test -timeout 15m ./...

interop: interop-packages ## FRR, BIRD and OpenBGPD in network namespaces (root)
	@[[ $$(id -u) == 0 ]] || { echo 'make interop: needs root, for network namespaces' >&2; exit 1; }
	@[[ -n "$(INTEROP)" ]] || { echo 'make interop: found no interop test' >&2; exit 1; }
	CGO_ENABLED=1 $(GO) vet -tags interop $(INTEROP)
	CGO_ENABLED=1 $(GO) test -tags interop -count=1 -p 1 -timeout 25m $(INTEROP)

interop-packages:
	bash cmd/internal/lab/install.sh

fuzz: ## run every fuzz target for FUZZTIME
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's#^\./(.*)/[^/]+:[0-9]+:func (.*)#\1 \2#' | sort | \
	while read -r dir target; do \
	  echo "$$dir $$target"; CGO_ENABLED=1 $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$dir"; \
	done

race: ## run the tests of concurrent packages under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $(RACE)

bench: ## run benchmarks into bin/bench.txt (BENCH=regexp COUNT=n; compare with benchstat)
	@mkdir -p bin
	CGO_ENABLED=1 $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 30m ./... | tee bin/bench.txt

lint: ## gofmt, vet, staticcheck, and generated code that is up to date
	@bad=$$(find . -name '*.go' -not -path './bin/*' -print0 | xargs -0 gofmt -l); \
	  [[ -z "$$bad" ]] || { echo "not gofmt-ed:" >&2; echo "$$bad" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) vet -tags interop ./...
	CGO_ENABLED=1 $(TOOL) staticcheck -tags interop ./...
	@before=$$($(GENERATED)); $(MAKE) --no-print-directory generate; after=$$($(GENERATED)); \
	  [[ "$$before" == "$$after" ]] || { echo 'generated code was stale; commit what `make generate` wrote' >&2; \
	  diff <(echo "$$before") <(echo "$$after") >&2; exit 1; }

generate: ## write generated code anew (*.gen.go, through go:generate and the pinned tools)
	$(GO) generate ./...

clean: ## remove what make built
	rm -rf bin dist
