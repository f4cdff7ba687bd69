# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(robosense SOURCES robosense.c LINK sluice_lidar_decode)
