# make alone prints this list. make test needs only Go, git and make.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build run demo test fuzz check fmt fmt-check vet lint floors race sim mutants losing bench bench-waiting e2e clean

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Packages (folders, with all below) whose tests run without the race detector, and why:
#   persistence/sqlite   the pure-Go SQLite engine is many times slower under it, and bulk
#                        tests are most of what this package has; make race includes it
#   test/sim             has one goroutine by design, and many thousand turns
RACE_EXCLUDE := persistence/sqlite test/sim

# What to test, and further flags of go test: make test PKG=./rules/... ARGS='-run Explain'
PKG  ?= ./...
ARGS ?=

# What attune runs on in make demo and make e2e: embedded, which is attune dev and
# needs nothing; or servers, which is attune server and a worker on a PostgreSQL and a
# RabbitMQ: those that are named or run here, else private ones of what is installed.
BACKEND ?= embedded

# All tests share one pair of servers, where there are any; of a few each starts its own.
SERVERS = $(if $(filter ./...,$(PKG)),bin/servers)

# How long each fuzz target is fed new inputs, behind all tests and by make fuzz.
FUZZTIME ?= 5s

# Packages whose fuzz targets are fed by make fuzz alone, and why:
#   persistence/sqlite   fuzzing builds all with counters in it, and for the pure-Go SQLite
#                        engine that takes minutes; its kept inputs run as ordinary tests
FUZZ_EXCLUDE := persistence/sqlite

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

build: ## bin/attune
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/attune ./cmd/attune

run: build ## attune dev, everything in one process, until Ctrl-C
	exec bin/attune dev

ifeq ($(BACKEND),servers)
demo: build
	go run ./test/demo bin/attune
else
demo: ## one event on its way through a rule to a finished action, and an end; BACKEND=servers
	go run ./cmd/attune demo
endif

test: bin/testrun $(SERVERS) ## all tests, with the race detector where there is a C compiler, then 5 s of fuzzing each; says what was left out
	@$(SERVERS) bin/testrun -race-exclude '$(RACE_EXCLUDE)' $(if $(ARGS),,-fuzz $(FUZZTIME) -fuzz-exclude '$(FUZZ_EXCLUDE)') $(PKG) -- $(ARGS)

fuzz: bin/testrun ## the fuzz targets alone: make fuzz FUZZTIME=60s PKG=./api
	@bin/testrun -only-fuzz -fuzz $(FUZZTIME) $(PKG)

check: fmt-check vet floors lint ## everything that is no test: gofmt, vet, floors, golangci-lint

fmt: ## gofmt all Go files
	gofmt -w .

fmt-check:
	@bad=$$(gofmt -l .); \
	if [ -n "$$bad" ]; then echo "not as gofmt writes it (make fmt):"; echo "$$bad"; exit 1; fi

vet:
	go vet ./...

lint: bin/golangci-lint ## golangci-lint alone; the first time it is built, which takes minutes
	bin/golangci-lint run ./...

floors: ## who may import whom, and the other house rules
	go test -count=1 ./internal/floors

race: ## all tests under the race detector, the slow ones too
	ATTUNE_TEST_REQUIRE="race,$$ATTUNE_TEST_REQUIRE" $(MAKE) --no-print-directory test RACE_EXCLUDE= FUZZTIME=0

sim: ## the runtime in the seeded simulation; SEED=N replays one, with its trace in bin/
ifdef SEED
	@mkdir -p bin
	go test -count=1 -v ./test/sim -run '^TestSeeds$$' -args -seed $(SEED) -story $(CURDIR)/bin/sim-$(SEED).trace
else
	go test -count=1 ./test/sim/...
endif

mutants: ## breaks the product on purpose; each break must turn a test red
	ATTUNE_MUTANTS=1 go test -count=1 -v -timeout 30m ./test/mutants

losing: ## loses workers, broker, database, queues and connections, on private servers; takes minutes; SEED=N, ARGS='-run /broker'
	ATTUNE_LOSING=1 go test -count=1 -v -timeout 20m ./test/losing $(or $(ARGS),-run '^TestLosing$$') -args -seed $(or $(SEED),0)

bench: ## throughput and latency on this machine; BACKEND=servers: on PostgreSQL and RabbitMQ
	go run ./test/bench -backend $(BACKEND)

bench-waiting: ## a million executions that wait: memory, start-up, lateness; takes minutes
	@mkdir -p bin
	go build -o bin/bench ./test/bench
	GOMEMLIMIT=1GiB bin/bench -waiting 1000000

e2e: ## the built binary from outside; BACKEND=servers
	go test -count=1 -timeout 20m ./test/e2e/... -backend $(BACKEND) $(ARGS)

clean: ## what make has built
	rm -rf bin

bin/testrun: go.mod $(wildcard internal/testrun/*.go)
	go build -o $@ ./internal/testrun

bin/servers: go.mod $(wildcard test/servers/*.go internal/servers/*/*.go)
	go build -o $@ ./test/servers

bin/golangci-lint: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
