# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(raw_packets SOURCES raw_packets.c LINK sluice_frame)
