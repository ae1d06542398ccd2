#!/usr/bin/env bash
# One table of what things take and cost, all measured in this run. Nothing in it passes or fails.
set -euo pipefail
cargo build --quiet --release -p sop-cli
scripts/lambdas.sh x86_64
cargo build --quiet --profile lambda -p sop-wiring --example nothing
mkdir -p target/lambda-bench
cp target/lambda/examples/nothing target/lambda-bench/nothing
cargo bench --quiet -p sop-cli --bench bench
