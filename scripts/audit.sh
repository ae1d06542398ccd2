#!/usr/bin/env bash
# Holds others' code against deny.toml: where it is from, its licence, what is banned, and known weaknesses.
# The list of weaknesses is fetched; where it cannot be, that is said, and it is an error only with SOP_AUDIT=strict.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
cargo deny --log-level error check bans licenses sources
log=$(mktemp); trap 'rm -f "$log"' EXIT
if cargo deny fetch db >"$log" 2>&1; then
  cargo deny check advisories
elif [ "${SOP_AUDIT:-}" = strict ]; then
  cat "$log" >&2; exit 1
else
  echo "advisories not checked: the list could not be fetched"
fi
