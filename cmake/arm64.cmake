# SPDX-License-Identifier: Apache-2.0
# Toolchain: aarch64 by Debian's cross compiler, against the arm64 libraries that
# `cmake/packages.sh arm64` unpacks into one folder. The programs run under qemu-user.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

if(NOT SLUICE_ARM64_ROOT)
  set(SLUICE_ARM64_ROOT "$ENV{SLUICE_ARM64_ROOT}")
  if(NOT SLUICE_ARM64_ROOT)
    set(SLUICE_ARM64_ROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-root")
  endif()
endif()
get_filename_component(SLUICE_ARM64_ROOT "${SLUICE_ARM64_ROOT}" ABSOLUTE)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SLUICE_ARM64_ROOT)
if(NOT EXISTS "${SLUICE_ARM64_ROOT}/usr/include")
  message(FATAL_ERROR "no arm64 libraries in ${SLUICE_ARM64_ROOT}: run cmake/packages.sh arm64")
endif()

set(CMAKE_SYSROOT "${SLUICE_ARM64_ROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${SLUICE_ARM64_ROOT}")
set(ENV{PKG_CONFIG_LIBDIR}
    "${SLUICE_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${SLUICE_ARM64_ROOT}/usr/share/pkgconfig")

# What cmake/SluiceEmulate.cmake makes programs run with; empty on an arm64 machine.
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(SLUICE_EMULATOR qemu-aarch64 -L "${SLUICE_ARM64_ROOT}")
endif()
