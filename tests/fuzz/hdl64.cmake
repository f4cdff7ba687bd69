# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(hdl64 SOURCES hdl64.c LINK sluice_lidar_metadata)
