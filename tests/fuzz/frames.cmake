# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(frames SOURCES frames.c LINK sluice_lidar_source)
