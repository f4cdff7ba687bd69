# SPDX-License-Identifier: Apache-2.0
# Programs of another architecture that can be run as if they were the machine's own.
#
# CMAKE_CROSSCOMPILING_EMULATOR serves only what ctest starts itself, and the tests of this project
# start programs that start programs. binfmt_misc would serve them all, but is the whole machine's
# and closed in most containers. So the linker's rule gets one more command: the program becomes
# DIR/.NAME.elf, and DIR/NAME a script that runs it by the emulator. Such a build is for its tests
# and is not installed; -DSLUICE_TESTS=OFF builds plain programs.

set(SLUICE_EMULATED OFF)
if(CMAKE_CROSSCOMPILING AND SLUICE_EMULATOR AND SLUICE_TESTS)
  set(SLUICE_EMULATED ON)
  list(GET SLUICE_EMULATOR 0 emulator)
  find_program(SLUICE_EMULATOR_PROGRAM "${emulator}" REQUIRED)
  mark_as_advanced(SLUICE_EMULATOR_PROGRAM)
  list(JOIN SLUICE_EMULATOR "' '" emulator)
  add_compile_definitions(SLUICE_EMULATED=1) # tests/emulated.h
  configure_file("${PROJECT_SOURCE_DIR}/tests/emulated.cmake"
                 "${PROJECT_BINARY_DIR}/CTestCustom.cmake" COPYONLY)
  list(APPEND CMAKE_C_LINK_EXECUTABLE
       "'${CMAKE_CURRENT_LIST_DIR}/emulated.sh' <TARGET> '${emulator}'")
  install(CODE "message(FATAL_ERROR \"this build is for tests under ${SLUICE_EMULATOR_PROGRAM}: \
configure another one with -DSLUICE_TESTS=OFF to install it\")")
endif()
