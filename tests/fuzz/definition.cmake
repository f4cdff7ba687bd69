# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(definition SOURCES "${CMAKE_CURRENT_LIST_DIR}/definition.c" LINK sluice_log)
