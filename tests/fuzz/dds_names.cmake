# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(dds_names SOURCES "${CMAKE_CURRENT_LIST_DIR}/dds_names.c" LINK sluice_dds_names)
