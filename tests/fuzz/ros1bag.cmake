# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(ros1bag SOURCES "${CMAKE_CURRENT_LIST_DIR}/ros1bag.c" LINK sluice_log)
