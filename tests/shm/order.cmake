# SPDX-License-Identifier: Apache-2.0
# Memory order with both ends over one mapping. Under ThreadSanitizer two faults are seeded, each of
# which must be reported in the frame's bytes: else the test would be blind.
sluice_test(shm_order SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_order.c" LINK sluice_shm)

function(order_fault name fault)
  set(shm "${PROJECT_SOURCE_DIR}/core/shm")
  sluice_test(shm_order_${name} LINK sluice_shm
    SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_order.c" ${shm}/ring.c ${shm}/slots.c ${shm}/reader.c)
  target_compile_definitions(test_shm_order_${name} PRIVATE ${fault})
  set_property(TEST shm_order_${name} APPEND PROPERTY ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1")
  set_tests_properties(shm_order_${name} PROPERTIES
    PASS_REGULAR_EXPRESSION "SUMMARY: ThreadSanitizer: data race [^\n]* in (write|check)_part")
endfunction()
if(SLUICE_SANITIZE STREQUAL "thread")
  order_fault(publish_relaxed SL_ORDER_PUBLISH=memory_order_relaxed)
  order_fault(release_relaxed SL_ORDER_RELEASE=memory_order_relaxed)
endif()
