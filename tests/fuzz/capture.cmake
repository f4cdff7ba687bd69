# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(capture SOURCES "${CMAKE_CURRENT_LIST_DIR}/capture.c" LINK sluice_capture)
