# SPDX-License-Identifier: Apache-2.0
sluice_fuzz(ring SOURCES "${CMAKE_CURRENT_LIST_DIR}/ring.c" "${CMAKE_CURRENT_LIST_DIR}/ring_reader.c"
                         "${CMAKE_CURRENT_LIST_DIR}/ring_slots.c"
            LINK sluice_shm)
