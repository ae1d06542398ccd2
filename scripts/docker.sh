#!/usr/bin/env bash
# Sees to it that a Docker engine answers: `scripts/docker.sh start`, and `stop`, which ends the one that `start` started.
#
# An engine that answers is used as it is and is never stopped. Else, as root: installs Debian's docker.io where there is
# no dockerd, and starts it in the background; its process id is kept in <target>/dockerd.pid. Exits with 3 and a
# sentence on standard output where no engine can be had, so that callers can tell that from a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
pid_file=$target/dockerd.pid log=$target/dockerd.log
mkdir -p "$target"

answers() { command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
without() { echo "no Docker engine: $1"; exit 3; }

start() {
  if answers; then return; fi
  [ -z "${DOCKER_HOST:-}" ] || without "none answers at DOCKER_HOST"
  # One that runs and does not answer (yet) is somebody's: a second one beside it would take away its network.
  if pgrep -x dockerd >/dev/null; then
    for _ in $(seq 50); do if answers; then return; fi; sleep 0.2; done
    without "a dockerd runs and does not answer"
  fi
  [ "$(id -u)" = 0 ] || without "starting one needs root"
  if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || without "dockerd is not installed, and there is no apt-get"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker.io iptables; } >"$log" 2>&1 ||
      without "docker.io could not be installed ($log says why)"
  fi
  setsid nohup dockerd >"$log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  for _ in $(seq 150); do
    if answers; then return; fi
    kill -0 "$(cat "$pid_file")" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 5 "$log" >&2
  stop
  without "dockerd did not come up ($log says why)"
}

stop() {
  [ -f "$pid_file" ] || return 0
  local pid; pid=$(cat "$pid_file")
  # The number may be somebody else's by now.
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then rm -f "$pid_file"; return 0; fi
  # Others have taken it into use: it is theirs now.
  if [ -n "$(docker ps -q 2>/dev/null)" ]; then return 0; fi
  kill "$pid"
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  rm -f "$pid_file"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  *) echo "usage: scripts/docker.sh start|stop" >&2; exit 2 ;;
esac
