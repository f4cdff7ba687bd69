#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm_kernel.sh - Debian's stock kernel and its modules, unpacked into one folder, for tests/vm.
#
# Usage: cmake/vm_kernel.sh [backports]       (called by packages.sh)
#
# The folder is $SLUICE_VM_KERNEL, else build/vm-kernel: vmlinux, lib/modules/VERSION, and a file
# `version`. With `backports` it is the kernel of the next release, which Debian offers for this
# one, in a folder of that name with "-backports" behind it. Nothing is installed, no boot loader is touched. Needs no root. The kernel is unpacked
# once more, out of its bzImage: that is half of the time that an emulator takes to boot it.
set -euo pipefail
cd "$(dirname "$0")/.."

root=${SLUICE_VM_KERNEL:-build/vm-kernel}${1:+-$1}
[ ! -e "$root/version" ] || exit 0
mkdir -p "$(dirname "$root")"
work=$(mktemp -d "$root.XXXXXX")
trap 'rm -rf "$work"' EXIT
work=$(cd "$work" && pwd)
mkdir -p "$work/lists/partial" "$work/root"
options=(-q -o Acquire::Retries=3 -o APT::Sandbox::User=)

fetch() { # the kernel that the package `linux-image-amd64` stands for
    package=$(apt-cache "${options[@]}" depends linux-image-amd64 |
        sed -n 's/^  Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] && (cd "$work" && apt-get "${options[@]}" download "$package")
}

own_lists() {
    options+=(-o Dir::State::Lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
        -o Debug::NoLocking=1)
}

# Backports stand in the archive that the machine uses, whose lists do not name them.
if [ "${1:-}" = backports ]; then
    . /etc/os-release
    site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' |
        sed -n "s/ $VERSION_CODENAME main\$//p" | head -n 1)
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] $site $VERSION_CODENAME-backports main" >"$work/backports.list"
    options+=(-o Dir::Etc::SourceList="$work/backports.list" -o Dir::Etc::SourceParts=/dev/null)
    own_lists
fi

# The machine's lists may be absent, or older than the archive: then by lists of our own.
if ! fetch >"$work/log" 2>&1; then
    own_lists
    { apt-get "${options[@]}" update && fetch; } >>"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        echo "packages: apt-get could not fetch linux-image-amd64 (its words above)" >&2
        exit 1
    }
fi
echo "packages: unpacking $package into $root"
dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work/root" --no-same-owner ./boot ./lib/modules
version=${package#linux-image-}
bzimage=$work/root/boot/vmlinuz-$version
number() { # offset, bytes
    od -An -t "u$2" -j "$1" -N "$2" "$bzimage" | tr -d ' '
}
# Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length; four bytes of size end it
start=$((($(number 0x1f1 1) + 1) * 512 + $(number 0x248 4)))
end=$((start + $(number 0x24c 4) - 4))
payload() {
    head -c $end "$bzimage" | tail -c +$((start + 1))
}
case $(number $start 4) in
4247762216) payload | zstd -dc >"$work/root/vmlinux" ;;
*) payload | xz -dc >"$work/root/vmlinux" ;;
esac
rm -r "$work/root/boot"
busybox depmod -b "$work/root" "$version" # an installation would do it
echo "$version" >"$work/root/version"
rm -rf "$root"
mv "$work/root" "$root"
