# SPDX-License-Identifier: Apache-2.0
# The second transport, against RouDis of the tests' own.
foreach(name roudi iceoryx iceoryx_trouble)
  if(NOT SLUICE_SANITIZE STREQUAL "fuzzer" AND EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/test_${name}.c")
    add_executable(test_shm_${name} test_${name}.c iceoryx_support.c support.c)
    target_link_libraries(test_shm_${name} PRIVATE sluice_shm cmocka)
    add_test(NAME shm_${name} COMMAND "${PROJECT_SOURCE_DIR}/tests/with_roudi.sh" --bare
      $<TARGET_FILE:test_shm_${name}>)
    sluice_test_properties(shm_${name} TIMEOUT 300)
  endif()
endforeach()
if(NOT SLUICE_SANITIZE STREQUAL "fuzzer")
  add_executable(test_shm_transport test_transport.c support.c)
  target_link_libraries(test_shm_transport PRIVATE sluice_shm cmocka)
  add_test(NAME shm_transport COMMAND "${PROJECT_SOURCE_DIR}/tests/with_roudi.sh" $<TARGET_FILE:test_shm_transport>)
  sluice_test_properties(shm_transport)
endif()
