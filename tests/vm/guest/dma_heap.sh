# SPDX-License-Identifier: Apache-2.0
# dma_heap.sh - a pool of dma-bufs, one a slot, of the kernel's system heap, that one process writes
# and another reads in place through the descriptors it was passed, each between DMA_BUF_IOCTL_SYNCs
# that the kernel answers for; nothing is left of them at the end, and a heap that is not there is
# refused with the names of those that are.
# vm-release: backports
[ -c /dev/dma_heap/system ] || fail "the kernel has no system heap"
buffers() {
    grep -c system /sys/kernel/debug/dma_buf/bufinfo || true
}

lidar --source sim --memory dma-heap:cma >/tmp/refused 2>&1 && fail "a heap that is not there is taken"
grep "there is no /dev/dma_heap/cma; there are: system" /tmp/refused || fail "$(cat /tmp/refused)"

before=$(buffers)
publish_from dma-heap:system
is_read_in_place dmabuf 6
is_measured dma-heap:system wb
during=$(buffers)
end_publisher
after=$(buffers)
echo "dma-bufs of the heap: $before, with the pool $during, and after it $after"
[ $((during - before)) = 6 ] || fail "these are not the pool's six slots"
[ "$after" = "$before" ] || fail "dma-bufs stay behind"
