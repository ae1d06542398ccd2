#!/usr/bin/env bash
# Builds the Lambda binaries for arm64 or x86_64 into target/lambda/sopwith-<name>/bootstrap. SOP_LAMBDA_PROFILE=dev
# builds them in a fifth of the time, for tests: what they do is the same, what they weigh is not.
set -euo pipefail
case ${1:-arm64} in
  arm64) flag=--arm64 ;;
  x86_64) flag=--x86-64 ;;
  *) echo "SOP_ARCH is arm64 or x86_64, not '$1'" >&2; exit 2 ;;
esac
packages=()
for name in webhook mqtt cron peripheral eventbridge dispatcher executor api; do packages+=(-p "sopwith-$name"); done
exec cargo lambda build --profile "${SOP_LAMBDA_PROFILE:-lambda}" "$flag" "${packages[@]}"
