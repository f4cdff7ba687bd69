# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(stream SOURCES stream.c LINK sluice_uncached)
