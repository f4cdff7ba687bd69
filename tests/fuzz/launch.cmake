# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(launch SOURCES launch.c LINK sluice_launch)
