# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(velodyne SOURCES velodyne.c LINK sluice_lidar_decode)
