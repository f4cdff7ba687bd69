# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(handshake SOURCES "${CMAKE_CURRENT_LIST_DIR}/handshake.c" LINK sluice_shm)
