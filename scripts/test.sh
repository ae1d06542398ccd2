#!/usr/bin/env bash
# Every test, part by part; prints how many ran in each and how long it took. The emulators' scenarios come last.
#
# LocalStack runs in a container. The engine and the image are seen to in the background meanwhile; where they cannot be
# had its part is skipped, which in CI (CI is set) is a failure.
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
# Containers of this run bear its name, so that those of a killed test can be swept away, and nobody else's.
SOP_TEST_RUN=test-$$-$(date +%s); export SOP_TEST_RUN
setsid bash -c 'scripts/docker.sh start && nice -n 5 scripts/localstack-image.sh' >target/localstack-image.log 2>&1 & image=$!
sweep() {
  # Its whole group, should we be stopped while it works.
  kill -- "-$image" 2>/dev/null || true
  docker ps -aq --filter "label=sopwith.run=$SOP_TEST_RUN" 2>/dev/null | xargs -r docker rm -fv >/dev/null 2>&1 || true
  scripts/docker.sh stop || true
}
trap sweep EXIT
part core cargo test --locked -p sop-core
part runtime cargo test --locked -p sop-runtime -p sop-testkit -p sop-schema
part local cargo test --locked -p sop-local
part http cargo test --locked -p sop-http
part cli cargo test --locked -p sop-cli
part functions cargo test --locked -p sop-capability -p sop-wiring $(printf -- '-p sopwith-%s ' webhook mqtt cron peripheral eventbridge dispatcher executor api)
# One choice of packages, so that what they share is built once.
on_aws=(cargo test --locked -p sop-aws -p sop-emulator -p integration-tests)
part aws "${on_aws[@]}" --lib --test it
echo "== lambdas"; begun=$SECONDS
SOP_LAMBDA_PROFILE=dev scripts/lambdas.sh x86_64 >target/test-lambdas.log 2>&1 || { tail -n 40 target/test-lambdas.log; failed=1; }
echo "== lambdas: $((SECONDS - begun)) s"
begun=$SECONDS; wait "$image" || true
echo "== localstack image: $(tail -n 1 target/localstack-image.log) (waited $((SECONDS - begun)) s for it)"
part template "${on_aws[@]}" --test template
SOP_DEPLOYMENT=localstack part localstack "${on_aws[@]}" --test scenarios
SOP_DEPLOYMENT=emulator part emulator "${on_aws[@]}" --test scenarios
SOP_DEPLOYMENT=dev part dev "${on_aws[@]}" --test scenarios
grep -hE '^(scenario|skipped|LocalStack:|MiniStack:)' target/test-{localstack,emulator,dev}.log || true
echo; printf '%s' "$table"; echo "in $SECONDS s"
echo "$total_passed passed, $total_failed failed"
exit $failed
