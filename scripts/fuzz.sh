#!/usr/bin/env bash
# Runs each fuzz target for some seconds (60) with the nightly toolchain; one line a target, fails on a crash.
# What a run learns stays in fuzz/corpus, what crashed in fuzz/artifacts; FUZZ_TARGETS names targets to run alone.
set -euo pipefail
cd "$(dirname "$0")/.."
secs=${1:-60}
[[ $secs =~ ^[1-9][0-9]*$ ]] || { echo "usage: scripts/fuzz.sh SECONDS" >&2; exit 2; }
rustup run nightly rustc --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
cd fuzz
where=(); [ -z "${CARGO_TARGET_DIR:-}" ] || where=(--target-dir "$CARGO_TARGET_DIR")
mkdir -p artifacts
cargo +nightly fuzz build "${where[@]}"
failed=0
for target in ${FUZZ_TARGETS:-$(cargo +nightly fuzz list)}; do
  mkdir -p "corpus/$target" "seeds/$target"
  log=artifacts/$target.log status=0
  cargo +nightly fuzz run "${where[@]}" "$target" "corpus/$target" "seeds/$target" -- \
    -max_total_time="$secs" -rss_limit_mb=2048 -malloc_limit_mb=512 -timeout=10 -max_len=16384 \
    -print_final_stats=1 >"$log" 2>&1 || status=$?
  runs=$(awk '/^stat::number_of_executed_units/ {n = $2} END {print n + 0}' "$log")
  crashes=$(grep -c '^==.*ERROR\|Test unit written to' "$log" || true)
  if ((status)) && ((crashes == 0)); then crashes=1; fi
  printf '%-12s %12d runs %4d crashes\n' "$target" "$runs" "$crashes"
  if ((status)); then failed=1; tail -n 40 "$log"; fi
done
exit $failed
