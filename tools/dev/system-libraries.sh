#!/bin/sh
# Node 26, which npm installs, needs libatomic; slim Debian images come without it. Runs before there is a Node that
# could run TypeScript, so it is shell.
set -eu
[ "$(uname -s)" = Linux ] || exit 0
for folder in /lib /lib64 /usr/lib /usr/lib64 /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
  [ -e "$folder/libatomic.so.1" ] && exit 0
done
root=""
[ "$(id -u)" = 0 ] || root=sudo
if ! command -v apt-get >/dev/null || { [ -n "$root" ] && ! command -v sudo >/dev/null; }; then
  echo "libatomic.so.1 is missing, and Node 26 does not run without it: install it (Debian: libatomic1)" >&2
  exit 1
fi
echo "installing libatomic1, which Node 26 needs"
export DEBIAN_FRONTEND=noninteractive
$root apt-get update -qq
$root apt-get install -y -qq --no-install-recommends libatomic1 >/dev/null
