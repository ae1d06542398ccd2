# Every target installs what it needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
VENV := $(CURDIR)/target/venv
export SOP_VENV := $(VENV)
export PATH := $(VENV)/bin:$(PATH)
FUNCTIONS := webhook mqtt cron peripheral eventbridge dispatcher executor api
SOP_ARCH ?= arm64

.PHONY: help setup dev test iam check audit build lambdas deploy bench fuzz clean

help: ## Lists the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: $(VENV)/.ready ## Installs what a bare machine with Rust lacks
$(VENV)/.ready: integration-tests/requirements.txt scripts/setup.sh
	@scripts/setup.sh "$(VENV)"
	@touch $@

dev: setup ## Runs everything on this machine: webhooks, MQTT, cron, SQLite
	cargo run --release --quiet -p sop-cli -- dev

test: setup ## Every test, the emulator's last
	@scripts/test.sh

iam: setup ## Takes each permission away in turn and looks whether what needs it breaks
	@[ -n "$${SOP_LAMBDA_DIR:-}" ] || scripts/lambdas.sh x86_64
	cargo test -p integration-tests --test scenarios -- --iam

check: setup ## Formatting, lints, docs, others' licences, SOPs, template
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	cargo test --quiet -p sop-testkit --test tidy
	cargo run --quiet -p sop-cli -- validate --deny warnings
	"$(VENV)/bin/cfn-lint" infra/template.yaml

audit: ## Others' code: sources, licences, bans, known weaknesses
	@scripts/audit.sh

build: ## The sop binary
	cargo build --release -p sop-cli

lambdas: setup ## The Lambda binaries, for SOP_ARCH (arm64 or x86_64)
	@scripts/lambdas.sh "$(SOP_ARCH)"

deploy: setup ## Builds and deploys to AWS, or to the emulator at SOP_AWS_ENDPOINT
	@infra/deploy.sh

bench: setup ## One table: matching, accepts, starts, Lambda start-up, cost
	@scripts/bench.sh

fuzz: ## Each fuzz target for FUZZ_SECS (60) seconds, with the nightly toolchain
	@scripts/fuzz.sh "$${FUZZ_SECS:-60}"

clean: ## Removes what was built and what `sop dev` stored
	cargo clean
	rm -rf .sop
