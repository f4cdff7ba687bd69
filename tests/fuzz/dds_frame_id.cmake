# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(dds_frame_id SOURCES "${CMAKE_CURRENT_LIST_DIR}/dds_frame_id.c" LINK sluice_dds_names)
