# SPDX-License-Identifier: Apache-2.0
# The bus by its public interface, against bad peers, and against death.
set(shm_support "${CMAKE_CURRENT_SOURCE_DIR}/support.c")
foreach(name slots publish frames policy lossless wait wait_many batch relay lease life domain stats death)
  sluice_test(shm_${name} SOURCES test_${name}.c ${shm_support} LINK sluice_shm)
endforeach()
foreach(name lies hostile pieces)
  sluice_test(shm_${name} SOURCES test_${name}.c impostor.c ${shm_support} LINK sluice_shm)
endforeach()
if(TARGET test_shm_pieces) # not where only fuzz programs are built
  target_link_options(test_shm_pieces PRIVATE -Wl,--wrap=ioctl,--wrap=fstatfs64,--wrap=getsockopt,--wrap=pread64)
endif()
sluice_test(shm_words SOURCES test_words.c)
sluice_test(shm_points SOURCES test_points.c link_kind.c LINK sluice_shm)
# By hand, for as long as you like: test_shm_stress --seconds 600
sluice_test(shm_stress SOURCES stress.c ${shm_support} LINK sluice_shm)
if(SLUICE_SANITIZE STREQUAL "" AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME shm_soak COMMAND test_shm_stress --seconds 60)
  sluice_test_properties(shm_soak TIMEOUT 240)
endif()

# The same core once more with its fail points: for the crash test alone. The long run is
# test_shm_crash --kills 200 (docs/testing.md).
find_package(Threads REQUIRED) # imported for one folder only
get_target_property(shm_sources sluice_shm SOURCES)
get_target_property(shm_links sluice_shm LINK_LIBRARIES)
get_target_property(shm_definitions sluice_shm COMPILE_DEFINITIONS)
list(TRANSFORM shm_sources PREPEND "${PROJECT_SOURCE_DIR}/core/shm/" REGEX "^[^/]+$")
add_library(sluice_shm_failpoints STATIC EXCLUDE_FROM_ALL ${shm_sources} failpoint.c)
target_link_libraries(sluice_shm_failpoints PUBLIC ${shm_links})
if(SLUICE_ICEORYX_INCLUDE)
  target_include_directories(sluice_shm_failpoints SYSTEM PRIVATE "${SLUICE_ICEORYX_INCLUDE}")
endif()
target_compile_definitions(sluice_shm_failpoints PRIVATE ${shm_definitions} PUBLIC SLUICE_FAIL_POINTS)
get_property(iceoryx GLOBAL PROPERTY SLUICE_ICEORYX_LINK)
set(crash_iceoryx "")
if(iceoryx)
  set(crash_iceoryx failpoint_iceoryx.c)
endif()
sluice_test(shm_crash SOURCES crash.c crash_board.c crash_publish.c crash_read.c ${crash_iceoryx} ${shm_support}
            LINK sluice_shm_failpoints TIMEOUT 300)
# One that dies while it holds, often enough that a loan which does not ask for the dead is seen.
if(TARGET test_shm_crash AND NOT SLUICE_EMULATED)
  add_test(NAME shm_crash_holder COMMAND test_shm_crash --kills 10 --point take-checked)
  sluice_test_properties(shm_crash_holder TIMEOUT 300)
endif()

# What is the same over both transports: the suite of shm.cmake once more, each program with a RouDi
# of its own.
function(over_iceoryx name)
  if(NOT iceoryx OR NOT TARGET test_shm_${name})
    return()
  endif()
  add_test(NAME shm_${name}_iceoryx COMMAND "${PROJECT_SOURCE_DIR}/tests/with_roudi.sh"
    $<TARGET_FILE:test_shm_${name}> ${ARGN})
  sluice_test_properties(shm_${name}_iceoryx TIMEOUT 300)
  set_property(TEST shm_${name}_iceoryx APPEND PROPERTY ENVIRONMENT SLUICE_BUS=iceoryx)
endfunction()

foreach(name publish frames policy lossless wait wait_many batch relay lease life domain stats death lies hostile
        pieces stress crash)
  over_iceoryx(${name})
endforeach()
