# SPDX-License-Identifier: Apache-2.0
# ivshmem.sh - a pool in a PCI device's memory, mapped write-combining and uncached; a reader gets
# the device's file, opened read-only, and reads in place.
# vm-qemu: -object memory-backend-memfd,id=bar,size=16M,share=on -device ivshmem-plain,memdev=bar
device=$(pci_device 1af4:1110)
folder=/sys/bus/pci/devices/$device
bar=$(sed -n '3s/ .*//p' "$folder/resource")
publish_from "bar:$device/2/wc"
is_read_in_place resource2_wc
is_measured bar wb
is_mapped_as write-combining "$bar"
end_publisher

publish_from "bar:$device/2/uc"
is_read_in_place 'resource2$'
is_measured bar wb
is_mapped_as uncached-minus "$bar"
end_publisher

# Without bit 1 of the command register the device answers nobody.
printf '\000' | dd of="$folder/config" bs=1 seek=4 conv=notrunc 2>/dev/null
if lidar --source sim --packets=false --slots 6 --memory "bar:$device/2"; then
    fail "a device that is not enabled gives memory"
fi
