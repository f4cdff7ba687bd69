#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# init.sh - process 1 of the guest: sets it up, runs /test.sh, tells its status, turns the machine off.
#
# The test is read by busybox's shell after this file, so that it has these functions; it ends by
# running off its end, `fail` or `skip`.
export PATH=/sluice/bin:/sluice/libexec/sluice:/sluice/tests:/bin HOME=/root

fail() {
    trap - EXIT
    echo "FAIL: $*"
    exit 1
}

skip() {
    echo "SKIP: $*"
    exit 77
}

# within SECONDS "WHAT" COMMAND...: at the latest then
within() {
    local end=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || fail "not in time: $what"
        usleep 50000
    done
}

# pci_device VENDOR:DEVICE: its name, such as 0000:00:03.0
pci_device() {
    local folder
    for folder in /sys/bus/pci/devices/*; do
        if [ "$(cat "$folder/vendor"):$(cat "$folder/device")" = "0x${1%:*}:0x${1#*:}" ]; then
            basename "$folder"
            return
        fi
    done
    fail "there is no PCI device $1"
}

# publish_from MEMORY: a simulated lidar, $publisher, whose pool of six slots is made of that
publish_from() {
    lidar --source sim --packets=false --slots 6 --memory "$1" --name lidar &
    publisher=$!
}

maps_to_read() { # PROCESS, FILE, how many pieces of it
    [ "$(grep "$2" "/proc/$1/maps" | grep -c ' r--s ')" = "$3" ]
}

# is_read_in_place FILE [DESCRIPTORS]: several frames come whole; the reader maps all of FILE, read-only
is_read_in_place() {
    monitor --topics /lidar/points --expect-frames 5 --within 90s || fail "the frames do not come"
    monitor --topics /lidar/points &
    within 90 "a reader maps $1, ${2:-1} pieces" maps_to_read $! "$1" "${2:-1}"
    maps=$(grep "$1" /proc/$!/maps)
    kill $!
    wait $! || [ $? = 142 ] || fail "the reader does not end well"
    ! echo "$maps" | grep -q ' .w' ||
        fail "the reader's mappings are: $maps"
}

# is_measured MEMORY KIND: what the publisher's page tells of its pool
is_measured() {
    sluice topic info /lidar/points | grep "memory: $1.*measured $2," ||
        fail "not measured as $2: $(sluice topic info /lidar/points)"
}

# end_publisher: it ends well, or, on a busy host, by the alarm that it sets itself for that
end_publisher() {
    kill $publisher
    wait $publisher || [ $? = 142 ] || fail "the publisher does not end well"
}

# is_mapped_as TYPE ADDRESS: the kernel maps that physical address so, by x86's table of page types
is_mapped_as() {
    grep -q "mem 0x$(printf %016x "$2")-.*\] $1\$" /sys/kernel/debug/x86/pat_memtype_list && return
    cat /sys/kernel/debug/x86/pat_memtype_list
    fail "$2 is not mapped $1"
}

# vfio DEVICE: gives a PCI device to user space
vfio() {
    echo vfio-pci >"/sys/bus/pci/devices/$1/driver_override"
    echo "$1" >/sys/bus/pci/drivers_probe
    within 60 "the group of $1" [ -e "/dev/vfio/$(basename "$(readlink "/sys/bus/pci/devices/$1/iommu_group")")" ]
}

if [ $$ != 1 ]; then # read by a test
    set -eu
    trap 'status=$?; case $status in 0 | 77) ;; *) echo "FAIL: test.sh:$LINENO: status $status" ;; esac' EXIT
    . /test.sh
    trap - EXIT
    exit 0
fi

/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t debugfs none /sys/kernel/debug
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mkdir -p /dev/shm
mount -t tmpfs none /dev/shm
stty -F /dev/ttyS1 raw
exec >/dev/ttyS1 2>&1

status=0
for module in $(cat /modules); do
    modprobe "$module" || status=1
done
if [ $status = 0 ]; then
    timeout "$vm_seconds" sh /init || status=$? # from the kernel's command line
    if [ $status = 143 ]; then
        echo "FAIL: not done after $vm_seconds s; what runs:"
        ps | grep -v '\]$'
    fi
fi
echo "vm: $status"
sync
poweroff -f
