# SPDX-License-Identifier: Apache-2.0
# Plain programs only: a sanitizer's runtime wants more of a container than a bus does.
if(SLUICE_SANITIZE STREQUAL "" AND NOT SLUICE_EMULATED AND TARGET sluice)
  add_executable(containers containers.c)
  target_link_libraries(containers PRIVATE sluice_shm)
  add_test(NAME containers COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/test_containers.sh"
           "$<TARGET_FILE:containers>" "$<TARGET_FILE:sluice>")
  sluice_test_properties(containers LABELS integration TIMEOUT 300)
endif()
