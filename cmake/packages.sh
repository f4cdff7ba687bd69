#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# packages.sh - installs the Debian packages that are missing, and asks for nothing.
#
# Usage: cmake/packages.sh build|test|deb|arm64|fuzz|vm
# Needs root or a sudo that asks for no password; otherwise it says what to install and fails.
# Does nothing, quickly, when everything is there.
set -euo pipefail

build_packages=(gcc libc6-dev cmake ninja-build pkg-config
                libfyaml-dev libpcap-dev libpng-dev libcmocka-dev
                libxdp-dev libbpf-dev libcurl4-openssl-dev liburing-dev
                liblz4-dev libzstd-dev libbz2-dev libsqlite3-dev
                libiceoryx-binding-c-dev cyclonedds-dev)
test_packages=(git clang-format spin iproute2 nftables procps mandoc iceoryx tshark python3-rosbag sqlite3 cyclonedds-tools
               g++ librosbag-storage-dev
               libfastrtps-dev fastddsgen default-jre-headless) # another maker's DDS; its generator runs on Java
fuzz_packages=(clang llvm libclang-rt-14-dev)
# What `make deb` needs, and to look at what it made.
deb_packages=(dpkg-dev file)
test_packages+=("${deb_packages[@]}" systemd)
# The cross compiler, and what is unpacked for it (not installed) by arm64_root.sh.
arm64_packages=(gcc-aarch64-linux-gnu qemu-user)
arm64_libraries=(libc6-dev libfyaml-dev libpcap0.8-dev libpng-dev libcmocka-dev
                 liblz4-dev libzstd-dev libbz2-dev libsqlite3-dev liburing-dev)
# The emulated machine of tests/vm; its kernels are unpacked (not installed) by vm_kernel.sh.
vm_packages=(qemu-system-x86 busybox-static cpio xz-utils zstd)

case ${1:-build} in
build) wanted=("${build_packages[@]}") ;;
test) wanted=("${build_packages[@]}" "${test_packages[@]}") ;;
deb) wanted=("${build_packages[@]}" "${deb_packages[@]}") ;;
arm64) wanted=("${build_packages[@]}" "${arm64_packages[@]}") ;;
fuzz) wanted=("${build_packages[@]}" "${fuzz_packages[@]}") ;;
vm) wanted=("${vm_packages[@]}") ;;
*)
    echo "usage: $0 build|test|deb|arm64|fuzz|vm" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "packages: this is no Debian; install what these Debian packages hold: ${wanted[*]}" >&2
    exit 0 # CMake names what is missing
fi

everything_is_there() {
    case ${1:-build} in
    arm64) "$(dirname "$0")/arm64_root.sh" "${arm64_libraries[@]}" ;;
    vm)
        "$(dirname "$0")/vm_kernel.sh"
        "$(dirname "$0")/vm_kernel.sh" backports || echo "packages: without it, one test is skipped"
        ;;
    esac
    exit
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    everything_is_there "$@"
fi

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "packages: neither root nor a sudo without password; install them and try again:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Acquire::Retries=3 -o Dpkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}

echo "packages: installing ${missing[*]}"
# A fresh container has no lists; an old machine has lists of files that are gone.
if apt install --no-install-recommends "${missing[@]}" ||
    { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
    everything_is_there "$@"
fi
tail -n 20 "$log" >&2
echo "packages: apt-get could not install: ${missing[*]} (its words above)" >&2
exit 1
