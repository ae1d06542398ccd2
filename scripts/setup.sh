#!/usr/bin/env bash
# Installs what a bare machine with Rust lacks: a C compiler (SQLite), an MQTT broker (tests), Python with venv, and in a virtual
# environment cargo-lambda with zig, the emulator, the template's linter and the AWS command line.
set -euo pipefail
venv=$1
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v curl >/dev/null || missing+=(curl)
command -v openssl >/dev/null || missing+=(openssl)
# A broker for the tests of what comes from one: Debian has it where only root looks.
if ! PATH=$PATH:/usr/sbin command -v mosquitto >/dev/null; then missing+=(mosquitto); fi
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then missing+=(python3 python3-venv); fi
if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    echo "please install: ${missing[*]}" >&2
    exit 1
  fi
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >/dev/null
fi
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r integration-tests/requirements.txt
