# SPDX-License-Identifier: Apache-2.0
# vgem.sh - a pool of dma-bufs, one a slot, that one process writes and another reads in place
# through the descriptors it was passed; the kernel says that the pages are write-combining, and our
# probe, which has only its clock, says what an emulator without caches shows: cached.
# vm-modules: vgem
before=$(vm_page_types)
cat >/tmp/lidar.yaml <<END
nodes:
  lidar:
    exec: lidar
    params: {source: sim, packets: false}
    pool: {memory: dma-heap:system, slots: 6, fallback: vgem} # the kernel has no dma-heap
END
sluice launch /tmp/lidar.yaml >/tmp/launch 2>&1 &
publisher=$!
is_read_in_place dmabuf 6
is_measured vgem wb
during=$(vm_page_types)
end_publisher
grep 'its slots lie in vgem' /tmp/launch || fail "nobody tells that it was the second choice"
after=$(vm_page_types)
echo "write-combining pages: $before, with the pool $during, and after it $after"
pages=$((6 * 2633728 / 4096)) # six slots for a turn at the slowest rotation
[ $((during - before)) = $pages ] || fail "these are not the pool's $pages"
[ "$after" = "$before" ] || fail "pages stay behind"
