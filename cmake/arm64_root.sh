#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# arm64_root.sh - the arm64 libraries that cmake/arm64.cmake builds against, unpacked into one folder.
#
# Usage: cmake/arm64_root.sh PACKAGE ...       (called by packages.sh, which names them)
#
# The folder is $SLUICE_ARM64_ROOT, else build/arm64-root. Nothing is installed: a machine with
# arm64 as a second architecture must keep both in step, to the version, which may mean to upgrade
# its C library for a test. apt gets lists, state and cache of its own instead, works out what the
# packages need, and their libraries and headers are unpacked. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."

root=${SLUICE_ARM64_ROOT:-build/arm64-root}
told="$*"
if [ "$(cat "$root/.packages" 2>/dev/null)" = "$told" ]; then
    exit 0
fi
echo "packages: unpacking for arm64 into $root: $told"
mkdir -p "$(dirname "$root")"
work=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$work"' EXIT
work=$(cd "$work" && pwd)
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root"
: >"$work/status"

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
        -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= \
        -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" \
        -o Dir::Cache::Archives="$work/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o Debug::NoLocking=1 "$@" >>"$work/log" 2>&1
}

if ! { apt update && apt --no-install-recommends --download-only install "$@"; }; then
    tail -n 20 "$work/log" >&2
    echo "packages: apt-get could not fetch for arm64: $told (its words above)" >&2
    exit 1
fi
# Libraries and headers only: a program of the guest would be found before the machine's own.
for archive in "$work"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$archive" |
        tar -x -C "$work/root" --no-same-owner --wildcards './lib/*' './usr/lib/*' './usr/include/*' \
            2>>"$work/log" || true # an archive may have none of these
done
# Links to /lib/... must not lead to the machine's own.
find "$work/root" -type l -lname '/*' -printf '%P %l\n' | while read -r link to; do
    ln -sfrT "$work/root$to" "$work/root/$link"
done
[ -e "$work/root/lib/ld-linux-aarch64.so.1" ] || {
    echo "packages: no arm64 C library among what was unpacked: $told" >&2
    exit 1
}
printf '%s\n' "$told" >"$work/root/.packages"
rm -rf "$root"
mv "$work/root" "$root"
