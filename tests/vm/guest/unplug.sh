# SPDX-License-Identifier: Apache-2.0
# unplug.sh - the device that a pool lies in is pulled out while it is written and read: both ends
# say so and end, and nothing is left behind.
# vm-qemu: -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
# vm-qemu: -device pcie-root-port,id=root,chassis=1,slot=1
# vm-qemu: -object memory-backend-memfd,id=bar,size=16M,share=on -device ivshmem-plain,memdev=bar,bus=root
device=$(pci_device 1af4:1110)
echo 1 >"/sys/bus/pci/devices/$device/enable"
publish_from "bar:$device/2"
monitor --topics /lidar/points >/tmp/monitor 2>&1 &
monitor=$!
sluice topic echo /lidar/points --once >/dev/null
echo 0 >/sys/bus/pci/slots/1/power
[ ! -e "/sys/bus/pci/devices/$device" ] || fail "the device is still there"

for process in $publisher $monitor; do
    status=0
    wait $process || status=$?
    [ $status = 1 ] || fail "process $process ended with $status"
done
cat /tmp/monitor
grep -q 'its device is gone' /tmp/monitor || fail "the reader does not say why it ends"
left=$(find /tmp/sluice* -type s)
[ -z "$left" ] || fail "left: $left"
