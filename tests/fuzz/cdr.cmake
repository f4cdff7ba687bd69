# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(cdr SOURCES cdr.c LINK sluice_frame)
