# SPDX-License-Identifier: Apache-2.0
# dma.sh - a device writes frames into the slots of a pool, which the CPU may not even write to, and
# a reader in another process finds them whole; what it writes elsewhere, the IOMMU stops and tells.
# vm-qemu: -device intel-iommu,intremap=on -device edu
# vm-kernel: intel_iommu=on
# vm-modules: vfio-pci vfio_iommu_type1
edu=$(pci_device 1234:11e8)
vfio "$edu"
vm_dma read /dma 4 &
reader=$!
vm_dma publish "$edu" /dma 4 || fail "publisher"
wait $reader || fail "reader"

# One for each of the three stray writes, and none for the frames.
dmesg | grep 'DMAR: \[DMA Write' || true
faults=$(dmesg | sed -n 's/.*DMAR: \[DMA Write.*fault addr \(0x[0-9a-f]*\) .*/\1/p' | sort -u | xargs)
[ "$faults" = "0x1002000 0x101000 0x8000000" ] || fail "the kernel tells of writes to $faults"
