#!/usr/bin/env bash
# Every test, part by part; prints how many ran in each. The emulator's scenarios come last.
set -euo pipefail
export INSTA_UPDATE=no CARGO_TERM_COLOR=never
total_passed=0; total_failed=0; failed=0; table=
part() {
  local name=$1; shift
  local log=target/test-$name.log start=$SECONDS status=0
  echo "== $name: $*"
  "$@" >"$log" 2>&1 || status=$?
  local passed broken ignored
  passed=$(awk '/^test result:/ {n += $4} END {print n + 0}' "$log")
  broken=$(awk '/^test result:/ {n += $6} END {print n + 0}' "$log")
  ignored=$(awk '/^test result:/ {n += $8} END {print n + 0}' "$log")
  if ((status)); then failed=1; ((broken)) || broken=1; tail -n 80 "$log"; fi
  total_passed=$((total_passed + passed)); total_failed=$((total_failed + broken))
  table+=$(printf '%-14s %6d passed %4d failed %4d ignored %6d s' "$name" "$passed" "$broken" "$ignored" $((SECONDS - start)))$'\n'
}
mkdir -p target
part core cargo test --locked -p sop-core
part runtime cargo test --locked -p sop-runtime -p sop-testkit -p sop-schema
part local cargo test --locked -p sop-local
part http cargo test --locked -p sop-http
part cli cargo test --locked -p sop-cli
part functions cargo test --locked -p sop-capability -p sop-wiring $(printf -- '-p sopwith-%s ' webhook mqtt cron peripheral eventbridge dispatcher executor api)
part aws cargo test --locked -p sop-aws -p sop-emulator
echo "== lambdas"; scripts/lambdas.sh x86_64 >target/test-lambdas.log 2>&1 || { tail -n 40 target/test-lambdas.log; failed=1; }
part emulator cargo test --locked -p integration-tests -- --nocapture
grep -E '^(scenario|skipped)' target/test-emulator.log || true
echo; printf '%s' "$table"; echo "in $SECONDS s"
echo "$total_passed passed, $total_failed failed"
exit $failed
