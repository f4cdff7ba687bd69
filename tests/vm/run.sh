#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - boots Debian's stock kernel in an emulated machine and runs one device test in it.
#
# Usage: tests/vm/run.sh TEST [BUILD]
#        TEST is a file, or NAME for tests/vm/guest/NAME.sh; BUILD is build/release
#
# QEMU emulates all of the machine (TCG), so neither root nor virtualisation is needed; there is no
# network and no disk. What the test wants stands in its head:
#
#   # vm-qemu: -device edu          arguments of QEMU
#   # vm-kernel: memmap=1M$0x1000   arguments of the kernel
#   # vm-modules: vgem uio          modules, loaded in this order with all that they need
#   # vm-release: backports         the kernel of Debian's next release, and not the stock one
#
# The guest is an initramfs: busybox, these modules, every program of the build with its libraries,
# init.sh and the test. Its first serial line is the kernel's console, its second one the report;
# both stay in BUILD/tests/vm/NAME/ to be looked at. The exit status is the test's: 0, 1, or 77 with
# "SKIP: reason" on the last line. $SLUICE_VM_SECONDS: when a guest that hangs is ended (200).
set -euo pipefail
shopt -s nullglob

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath "${2:-$source_dir/build/release}")
seconds=${SLUICE_VM_SECONDS:-200}
test_file=${1:-}
[ -f "$test_file" ] || test_file=$source_dir/tests/vm/guest/$test_file.sh
[ -f "$test_file" ] || {
    sed -n 's/^# Usage: /usage: /p' "$0" >&2
    echo "NAME is one of: $(cd "$source_dir/tests/vm/guest" && ls | sed 's/\.sh$//' | xargs)" >&2
    exit 2
}
name=$(basename "$test_file" .sh)
release=$(sed -n 's/^# vm-release: //p' "$test_file")
kernel=${SLUICE_VM_KERNEL:-$source_dir/build/vm-kernel}${release:+-$release}
work=$build/tests/vm/$name

skip() {
    echo "SKIP: $1; cmake/packages.sh vm installs it"
    exit 77
}
for program in qemu-system-x86_64 busybox cpio; do
    command -v $program >/dev/null || skip "$program is not installed"
done
[ -e "$kernel/version" ] || skip "no kernel in ${kernel#"$source_dir"/}"

wants() { # kind: what the head of the test says of it
    sed -n "s/^# vm-$1: //p" "$test_file"
}

# One folder becomes the guest's root.
put() { # file, folder of the guest
    mkdir -p "$root$2"
    cp -L "$1" "$root$2/"
}

put_module() { # name
    local file needed
    file=$(sed -n "s|^\([^:]*/${1//[-_]/[-_]}\.ko\):.*|\1|p" "$modules/modules.dep")
    [ -n "$file" ] || {
        echo "vm: $1: kernel $version has no such module" >&2
        exit 1
    }
    for needed in $file $(sed -n "s|^$file:||p" "$modules/modules.dep"); do
        put "$modules/$needed" "/lib/modules/$version/$(dirname "$needed")"
    done
}

make_root() {
    local module program library
    mkdir -p "$root"/{dev,proc,sys,run,tmp,bin}
    cp "$source_dir/tests/vm/init.sh" "$root/init"
    cp "$test_file" "$root/test.sh"
    wants modules >"$root/modules"
    put "$(command -v busybox)" /bin
    put "$modules/modules.builtin" "/lib/modules/$version"
    put "$modules/modules.dep" "/lib/modules/$version"
    for module in $(wants modules); do
        put_module "$module"
    done
    put "$build/bin/sluice" /sluice/bin
    for program in "$build"/libexec/sluice/*; do put "$program" /sluice/libexec/sluice; done
    for program in "$build"/tests/vm/vm_*; do put "$program" /sluice/tests; done
    for program in "$root"/sluice/*/* "$root"/sluice/libexec/sluice/*; do
        [ ! -f "$program" ] || ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true # a static one needs none
    done | sort -u | while read -r library; do
        put "$library" "$(dirname "$library")"
    done
}

version=$(cat "$kernel/version")
modules=$kernel/lib/modules/$version
root=$work/root
rm -rf "$work"
mkdir -p "$work"
machine=
finish() {
    [ -z "$machine" ] || kill "$machine" 2>/dev/null || true
    rm -rf "$root" "$work/initramfs"
}
trap finish EXIT
make_root
(cd "$root" && find . -print0 | cpio --quiet --null -o -H newc) >"$work/initramfs"

# One processor: on a busy host two wait for each other more than they do. no_timer_check: there, a
# kernel that counts the first timer interrupts finds too few and panics.
# Whoever kills this script by whatever means takes the machine along.
read -ra devices <<<"$(wants qemu | tr '\n' ' ')"
setpriv --pdeathsig KILL timeout -k 5 "$seconds" \
    setpriv --pdeathsig KILL qemu-system-x86_64 \
    -machine q35,kernel-irqchip=off -accel tcg,thread=multi -cpu max -smp 1 -m 512 \
    -nodefaults -no-user-config -nic none -display none -no-reboot \
    -serial "file:$work/console" -serial "file:$work/report" \
    -kernel "$kernel/vmlinux" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check vm_seconds=$((seconds * 7 / 10)) $(wants kernel | tr '\n' ' ')" \
    "${devices[@]}" </dev/null >"$work/qemu" 2>&1 &
machine=$!
status=0
wait "$machine" || status=$?
machine=

# The last line of the report is init.sh's verdict: "vm: STATUS".
verdict=$(tail -n 1 "$work/report" | sed -n 's/^vm: \([0-9]*\)$/\1/p')
tail_of() { # file, words
    echo "vm: $2:"
    tr -d '\r' <"$1" | tail -n 50
}
grep -v '^vm: [0-9]*$' "$work/report" || true
if [ -z "$verdict" ]; then
    tail_of "$work/qemu" "what QEMU said"
    tail_of "$work/console" "the end of its console"
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then
        echo "vm: $name: the guest hung and was ended after $seconds s"
    else
        echo "vm: $name: the guest ended (QEMU's status $status) before its test did"
    fi
    exit 1
fi
case $verdict in
0 | 77) exit "$verdict" ;;
esac
tail_of "$work/console" "the end of its console"
exit 1
