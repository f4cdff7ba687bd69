# SPDX-License-Identifier: Apache-2.0
# How everything here is compiled, and the four kinds of target that the folders declare.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # gnu17: Linux is the platform, _GNU_SOURCE its interface
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

set(SLUICE_SANITIZE "" CACHE STRING "address (with undefined), thread, fuzzer, or empty")
set_property(CACHE SLUICE_SANITIZE PROPERTY STRINGS "" address thread fuzzer)

add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64)
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                    -Wpointer-arith "$<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>" -fno-strict-aliasing -ffp-contract=off)
include_directories("${PROJECT_SOURCE_DIR}")
# No path of the machine that built it in a binary.
add_compile_options("-ffile-prefix-map=${PROJECT_BINARY_DIR}=build"
                    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")

if(SLUICE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(SLUICE_SANITIZE STREQUAL "thread")
  # gcc warns that TSan does not understand fences; core/shm/order.h turns them into
  # read-modify-writes in this build, so none is left.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(SLUICE_TSAN=1)
elseif(SLUICE_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

# sluice_library(NAME SOURCES ... [LINK ...]): a static part of the project, target sluice_NAME.
function(sluice_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(sluice_${name} STATIC ${arg_SOURCES})
  target_link_libraries(sluice_${name} PUBLIC ${arg_LINK})
endfunction()

# sluice_program(NAME SOURCES ... [LINK ...]): a driver or node that launch files name in `exec:`.
# It lies in <build>/libexec/sluice and is installed into libexec/sluice.
function(sluice_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(program_${name} ${arg_SOURCES})
  target_link_libraries(program_${name} PRIVATE ${arg_LINK})
  set_target_properties(program_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/libexec/sluice")
  install(TARGETS program_${name} RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/sluice")
  if(SLUICE_SANITIZE STREQUAL "")
    sluice_man_page(sluice-${name} program_${name})
  endif()
  set_property(GLOBAL APPEND PROPERTY SLUICE_PROGRAMS program_${name})
endfunction()

# sluice_test(NAME SOURCES ... [LINK ...] [LABELS ...] [TIMEOUT S] [ARGS ...]): a cmocka program,
# run by ctest as NAME. Exit 77 is a skip; the reason is on its last line "SKIP: reason".
#
# Where SLUICE_ONE_THREAD is set, the tests that follow neither have a second thread nor start programs of ours:
# ThreadSanitizer would find nothing in them, and they are not built for it. The test one_thread looks whether that
# is so.
function(sluice_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINK;LABELS;ARGS" ${ARGN})
  if(SLUICE_SANITIZE STREQUAL "fuzzer" OR (SLUICE_SANITIZE STREQUAL "thread" AND SLUICE_ONE_THREAD))
    return()
  endif()
  if(SLUICE_ONE_THREAD)
    set_property(GLOBAL APPEND PROPERTY SLUICE_ONE_THREAD_TESTS "$<TARGET_FILE:test_${name}>")
  endif()
  add_executable(test_${name} ${arg_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${arg_LINK} cmocka)
  add_test(NAME ${name} COMMAND test_${name} ${arg_ARGS})
  sluice_test_properties(${name} TIMEOUT "${arg_TIMEOUT}" LABELS ${arg_LABELS})
endfunction()

# Nothing else is run or built beside it: it measures, or would starve others.
function(sluice_test_alone name)
  set_property(TEST ${name} PROPERTY RUN_SERIAL TRUE)
  set_property(TEST ${name} APPEND PROPERTY LABELS alone)
endfunction()

# ctest begins with those that take long, so that none of them is left over for the end.
file(STRINGS "${PROJECT_SOURCE_DIR}/tests/costs" costs REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/costs")
foreach(line ${costs})
  string(REGEX MATCH "^([a-z0-9_]+) +([0-9]+)" line "${line}")
  set(SLUICE_COST_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()

function(sluice_test_properties name)
  cmake_parse_arguments(arg "" "TIMEOUT" "LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 240)
  endif()
  if(SLUICE_EMULATED)
    math(EXPR arg_TIMEOUT "5 * ${arg_TIMEOUT}")
  endif()
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT}
    LABELS "${arg_LABELS}"
    ENVIRONMENT "SLUICE_BUILD=${PROJECT_BINARY_DIR};SLUICE_SOURCE=${PROJECT_SOURCE_DIR}")
  if(SLUICE_COST_${name})
    set_tests_properties(${name} PROPERTIES COST ${SLUICE_COST_${name}})
  endif()
  if(SLUICE_EMULATED)
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "SLUICE_EMULATED=1")
  endif()
  if(SLUICE_SANITIZE)
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "SLUICE_SANITIZE=${SLUICE_SANITIZE}")
  endif()
endfunction()

# sluice_test_absent(REASON NAME ...): tests that cannot be built here; each is a skip that says why.
function(sluice_test_absent reason)
  foreach(name ${ARGN})
    add_test(NAME ${name} COMMAND sh -c "echo 'SKIP: ${reason}'; exit 77")
    sluice_test_properties(${name})
  endforeach()
endfunction()

# sluice_fuzz(NAME SOURCES ... [LINK ...]): SOURCES define LLVMFuzzerTestOneInput. With the fuzz
# preset it becomes a libFuzzer program fuzz_NAME; otherwise every file of tests/fuzz/seeds/NAME is
# replayed as the ordinary test fuzz_NAME, but not where ThreadSanitizer looks: by one thread.
function(sluice_fuzz name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  if(SLUICE_SANITIZE STREQUAL "thread")
    return()
  endif()
  if(SLUICE_SANITIZE STREQUAL "fuzzer")
    add_executable(fuzz_${name} ${arg_SOURCES})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE ${arg_LINK})
  else()
    add_executable(fuzz_${name} ${arg_SOURCES} "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c")
    target_link_libraries(fuzz_${name} PRIVATE ${arg_LINK})
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} "${PROJECT_SOURCE_DIR}/tests/fuzz/seeds/${name}")
    sluice_test_properties(fuzz_${name} LABELS fuzz)
  endif()
endfunction()
