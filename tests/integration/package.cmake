# SPDX-License-Identifier: Apache-2.0
# Packages are made of the build that is installed: the one without sanitizer.
if(SLUICE_SANITIZE STREQUAL "" AND NOT CMAKE_CROSSCOMPILING AND TARGET sluice AND TARGET sluice_shm)
  add_test(NAME package COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/test_package.sh")
  sluice_test_properties(package LABELS integration TIMEOUT 300)
endif()
