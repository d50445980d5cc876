# All there is to type. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: web-if-possible ## build, and run a small cluster on loopback to look at; Ctrl-C ends it
	@xtask/deps.sh build
	@cargo build --release --locked -p peermon
	@exec "$(TARGET)/release/peermon" demo

.PHONY: web
web: web/dist/index.html ## the page, web/dist, which a build takes into the program; needs Node.js

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-progress
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(shell find web/src web/index.html web/*.json web/*.mjs -type f)
	cd web && npm run --silent build

# Without Node.js the program says at / how to get the page; PAGE=no builds it so in any case.
NODE_IS_NEW := process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)
.PHONY: web-if-possible
web-if-possible:
	@if [ "$(PAGE)" = no ]; then :; \
	elif command -v npm >/dev/null 2>&1 && node -e "$(NODE_IS_NEW)"; then $(MAKE) --no-print-directory web; \
	else echo "The page is left out: it needs Node.js 18 or newer with npm (Debian: apt-get install nodejs npm)." >&2; fi

.PHONY: build
build: web-if-possible ## the release binary, target/release/peermon
	@xtask/deps.sh build
	cargo build --release --locked -p peermon

.PHONY: test
test: ## everything that CI runs
	@xtask/deps.sh test
	@$(MAKE) --no-print-directory web-if-possible
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo xtask all
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	cargo test --doc --workspace --locked --quiet
	@if cargo nextest --version >/dev/null 2>&1; then set -x; cargo nextest run --workspace --locked --no-fail-fast; \
	else set -x; cargo test --workspace --lib --bins --tests --locked --no-fail-fast; fi

.PHONY: bench
bench: bench-footprint bench-cluster ## both benches

.PHONY: bench-build
bench-build:
	@xtask/deps.sh test
	@cargo build --release --locked -p peermon -p peermon-bench

.PHONY: bench-footprint
bench-footprint: bench-build ## what one daemon costs at 1 Hz, beside node_exporter, gmond and netdata (about 100 s; bytes as root)
	@xtask/deps.sh monitors
	@"$(TARGET)/release/peermon-bench" footprint --peermon "$(TARGET)/release/peermon"

.PHONY: bench-endure
bench-endure: bench-build ## whether memory stays flat over 5.3 hours of rounds, eight times as fast as usual (40 min)
	@"$(TARGET)/release/peermon-bench" endure --peermon "$(TARGET)/release/peermon"

.PHONY: bench-loaded
bench-loaded: bench-build ## how timely a daemon is on an overloaded machine, without and with real-time priority (about 100 s, as root)
	@"$(TARGET)/release/peermon-bench" loaded --peermon "$(TARGET)/release/peermon"

.PHONY: bench-cluster
bench-cluster: bench-build ## 100 daemons on this machine: cost, traffic and ages (about 90 s)
	@"$(TARGET)/release/peermon-bench" cluster --peermon "$(TARGET)/release/peermon"

.PHONY: bench-gossip
bench-gossip: ## the protocol's figures from the simulator, into docs/internals; OPTIONS="--nodes 2200 --only wave"
	@cargo build --release --locked -p peermon-bench
	@GLIBC_TUNABLES=glibc.malloc.hugetlb=1 "$(TARGET)/release/peermon-bench" gossip $(OPTIONS)

.PHONY: bench-placement
bench-placement: ## what choosing nodes is worth, from the simulator, into docs/internals (about 6 min); OPTIONS="--nodes 50"
	@cargo build --release --locked -p peermon-bench
	@"$(TARGET)/release/peermon-bench" placement $(OPTIONS)

.PHONY: bench-scale
bench-scale: bench-build ## NODES (300) daemons on this machine, beside the simulator with as many (about 4 min)
	@"$(TARGET)/release/peermon-bench" scale --peermon "$(TARGET)/release/peermon" --nodes "$(or $(NODES),300)"

.PHONY: bench-anchors
bench-anchors: bench-build ## peermon beside chitchat and serf, NODES (50,100,200) of each, in one table (about 20 min, as root)
	@xtask/deps.sh anchors
	@cargo build --release --locked --manifest-path bench/anchors/Cargo.toml --target-dir "$(TARGET)/anchors"
	@"$(TARGET)/anchors/release/peermon-anchors" --peermon "$(TARGET)/release/peermon" --nodes "$(or $(NODES),50,100,200)"

.PHONY: bench-page
bench-page: ## what the page costs with NODES (2200) nodes in a headless Chromium (about 2 min)
	@xtask/deps.sh test
	@$(MAKE) --no-print-directory web
	@cargo build --release --locked -p peermon-bench
	@"$(TARGET)/release/peermon-bench" table --nodes "$(or $(NODES),2200)" --socket "$(TARGET)/bench-page.sock" --http 127.0.0.1:19899 & \
	trap "kill $$!" EXIT; sleep 5; cd web && node e2e/measure.mjs http://127.0.0.1:19899

.PHONY: deps
deps: ## install the Debian packages that tests and benches use (as root), or say which
	@xtask/deps.sh test

.PHONY: clean
clean: ## remove everything built
	cargo clean
