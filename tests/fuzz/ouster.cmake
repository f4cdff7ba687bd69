# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(ouster SOURCES ouster.c LINK sluice_lidar_decode)
sluice_fuzz(ouster_metadata SOURCES ouster_metadata.c LINK sluice_lidar_metadata)
