# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(pcap SOURCES "${CMAKE_CURRENT_LIST_DIR}/pcap.c" LINK sluice_log)
