# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(ros1_type SOURCES "${CMAKE_CURRENT_LIST_DIR}/ros1_type.c" LINK sluice_log)
