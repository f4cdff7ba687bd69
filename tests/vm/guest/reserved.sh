# SPDX-License-Identifier: Apache-2.0
# reserved.sh - a pool in a range of physical memory that the kernel was told to leave alone, as
# embedded boards have it.
# vm-kernel: memmap=16M$0x10000000
publish_from reserved:0x10000000+16M
is_read_in_place /dev/mem
is_measured reserved wb
is_mapped_as uncached-minus 0x10000000
end_publisher
if lidar --source sim --packets=false --slots 6 --memory reserved:0x8000000+16M; then
    fail "the kernel's own memory became a pool"
fi
