#!/usr/bin/env bash
# Makes sure that the engine has the image localstack/localstack:4.14.0, the last one that needs no account: the one that
# is there, else the published one, else one made of Debian's and PyPI's packages (no registry of images is asked).
#
# The one that is made bears a digest of what it was made of as a label and is made again when that has changed. Making
# needs root (debootstrap, chroot). Exits with 3 and a sentence on standard output where it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=localstack/localstack:4.14.0
release=trixie   # Debian 13: its Python is 3.13, as in the published image
lock=integration-tests/localstack/requirements.lock
pull_secs=20

without() { echo "no image $tag: $1"; exit 3; }
digest=$(cat scripts/localstack-image.sh "$lock" | sha256sum | cut -c1-16)
if docker image inspect "$tag" >/dev/null 2>&1; then
  has=$(docker image inspect --format '{{index .Config.Labels "sopwith.inputs"}}' "$tag")
  # Without our label it is the published one.
  if [ -z "$has" ] || [ "$has" = "$digest" ]; then echo "$tag is there"; exit 0; fi
elif timeout "$pull_secs" docker pull --quiet "$tag" >/dev/null 2>&1; then
  echo "$tag was pulled"; exit 0
fi

[ "$(id -u)" = 0 ] || without "it cannot be pulled, and making it needs root"
if ! command -v debootstrap >/dev/null; then
  command -v apt-get >/dev/null || without "it cannot be pulled, and there is no debootstrap"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap; } >/dev/null 2>&1 ||
    without "it cannot be pulled, and debootstrap cannot be installed"
fi
begun=$SECONDS
work=$(mktemp -d /var/tmp/localstack-image.XXXXXX); root=$work/root log=$work/log
trap 'rm -rf "$work"' EXIT
step() { "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }; }

# No documents, no translations: nobody reads in there.
step debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,procps "$release" "$root"
# For the download only: whom this machine trusts, and where it asks for names.
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/build/ca.crt"
install -m 644 "$lock" "$root/build/requirements.lock"
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
pip_env=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
  PIP_CERT=/build/ca.crt SSL_CERT_FILE=/build/ca.crt)
home=/opt/code/localstack
step env -i "${pip_env[@]}" chroot "$root" python3 -m venv "$home/.venv"
step env -i "${pip_env[@]}" chroot "$root" "$home/.venv/bin/pip" install --no-deps --requirement /build/requirements.lock
mkdir -p "$root/usr/lib/localstack" "$root/var/lib/localstack" "$root/tmp/localstack" "$root/etc/localstack/init/ready.d"
touch "$root/usr/lib/localstack/.community-version"
rm -rf "$root/build" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}
: >"$root/etc/resolv.conf"
changes=(
  "ENTRYPOINT [\"$home/.venv/bin/localstack-supervisor\"]" "WORKDIR $home" "EXPOSE 4566" "VOLUME /var/lib/localstack"
  "LABEL sopwith.inputs=$digest"
  "ENV PATH=$home/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  "ENV LANG=C.UTF-8" "ENV PYTHONUNBUFFERED=1"
)
options=(); for change in "${changes[@]}"; do options+=(--change "$change"); done
tar -C "$root" --numeric-owner -c . | docker import "${options[@]}" - "$tag" >/dev/null
echo "$tag was made of packages in $((SECONDS - begun)) s"
