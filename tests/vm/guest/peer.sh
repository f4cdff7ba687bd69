# SPDX-License-Identifier: Apache-2.0
# peer.sh - peer-to-peer: the pool lies in one PCI device's memory, and another device writes the
# frames there, without the machine's memory in between.
# vm-qemu: -device intel-iommu,intremap=on -device edu
# vm-qemu: -object memory-backend-memfd,id=bar,size=1M,share=on -device ivshmem-plain,memdev=bar
# vm-kernel: intel_iommu=on
# vm-modules: vfio-pci vfio_iommu_type1
edu=$(pci_device 1234:11e8)
peer=$(pci_device 1af4:1110)
echo 1 >"/sys/bus/pci/devices/$peer/enable"
vfio "$edu"
vm_dma read /dma 4 &
reader=$!
vm_dma publish "$edu" /dma 4 "bar:$peer/2" || fail "publisher"
wait $reader || fail "reader"
