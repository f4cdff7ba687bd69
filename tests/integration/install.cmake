# SPDX-License-Identifier: Apache-2.0
# A sanitizer's library needs a program built with it: installed and tried without one only.
if(SLUICE_SANITIZE STREQUAL "" AND TARGET sluice_shm AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME install COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/test_install.sh")
  sluice_test_properties(install LABELS integration)
endif()
