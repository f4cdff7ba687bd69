# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(hesai SOURCES hesai.c LINK sluice_lidar_decode)
