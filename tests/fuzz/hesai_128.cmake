# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(hesai_128 SOURCES hesai_128.c LINK sluice_lidar_decode)
