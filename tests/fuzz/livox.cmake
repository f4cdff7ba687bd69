# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(livox SOURCES livox.c LINK sluice_lidar_decode)
