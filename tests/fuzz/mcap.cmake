# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(mcap SOURCES "${CMAKE_CURRENT_LIST_DIR}/mcap.c" LINK sluice_log)
