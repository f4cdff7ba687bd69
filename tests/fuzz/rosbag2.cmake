# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(rosbag2 SOURCES "${CMAKE_CURRENT_LIST_DIR}/rosbag2.c" LINK sluice_log)
