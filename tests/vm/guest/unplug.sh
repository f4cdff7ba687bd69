# SPDX-License-Identifier: Apache-2.0
# unplug.sh - the device that a pool lies in is pulled out while it is written and read: both ends
# say so and end, who holds a frame reads on (nothing of sense), and nothing is left behind.
# vm-qemu: -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
# vm-qemu: -device pcie-root-port,id=root,chassis=1,slot=1
# vm-qemu: -object memory-backend-memfd,id=bar,size=16M,share=on -device ivshmem-plain,memdev=bar,bus=root
device=$(pci_device 1af4:1110)
echo 1 >"/sys/bus/pci/devices/$device/enable"
publish_from "bar:$device/2"
monitor --topics /lidar/points >/tmp/monitor 2>&1 &
monitor=$!
mkfifo /tmp/go
vm_hold /lidar/points </tmp/go >/tmp/hold 2>&1 &
hold=$!
exec 3>/tmp/go
within 90 "a frame is held" grep -q '^held' /tmp/hold
echo 0 >/sys/bus/pci/slots/1/power
[ ! -e "/sys/bus/pci/devices/$device" ] || fail "the device is still there"
echo >&3

ends_with() { # STATUS "WHO" PROCESS
    status=0
    wait $3 || status=$?
    [ $status = $1 ] || fail "$2 ended with $status"
}
ends_with 1 "the publisher" $publisher
ends_with 1 "the reader" $monitor
ends_with 0 "who held a frame" $hold
cat /tmp/monitor /tmp/hold
grep -q 'its device is gone' /tmp/monitor || fail "the reader does not say why it ends"
left=$(find /tmp/sluice* -type s)
[ -z "$left" ] || fail "left: $left"
