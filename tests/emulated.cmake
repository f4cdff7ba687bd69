# SPDX-License-Identifier: Apache-2.0
# Tests that are not run where the programs are emulated (qemu-user, the build arm64): CMake copies
# this to CTestCustom.cmake in that build. Parts of tests are left out by tests/emulated.h.

set(CTEST_CUSTOM_TESTS_IGNORE
  # Packet sockets and SO_TIMESTAMPNS, SO_RXQ_OVFL of UDP sockets are not qemu-user's.
  capture_live
  lidar_source_packet
  lidar_source_udp
  lidar_source_xdp
  lidar_driver_live
  lidar_load
  lidar_load_packet
  # Huge pages: qemu's own mmap does not know their sizes.
  uncached_huge
  # A measurement; and its flow comes by UDP.
  lidar_driver_bench
)
