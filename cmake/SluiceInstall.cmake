# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: the public header, libsluice.so, pkg-config and CMake package
# files, programs, man pages, completion, launch files. Included before the folders, which use its
# functions; sluice_install() comes after them, when every target is known.

include(CMakePackageConfigHelpers)

# The ABI may change with each minor version as long as the first number is 0.
set(SLUICE_SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")

# sluice_man_page(PAGE TARGET [ARGS ...]): PAGE.1, as TARGET prints it with ARGS and --help-man.
function(sluice_man_page page target)
  if(CMAKE_CROSSCOMPILING)
    return() # it cannot be run here
  endif()
  set(file "${PROJECT_BINARY_DIR}/share/man/man1/${page}.1")
  add_custom_command(OUTPUT "${file}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${PROJECT_BINARY_DIR}/share/man/man1"
    COMMAND ${target} ${ARGN} --help-man > "${file}"
    DEPENDS ${target} VERBATIM)
  add_custom_target(man_${page} ALL DEPENDS "${file}")
  install(FILES "${file}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endfunction()

# sluice_completion(FILE): the bash completion of the sluice command.
function(sluice_completion file)
  install(FILES "${file}" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions"
    RENAME sluice)
endfunction()

# libsluice.so: the rooms up to shm in one, showing what sluice.h marks SL_PUBLIC.
function(sluice_shared_library)
  add_library(sluice_shared SHARED)
  foreach(room base uncached frame shm)
    target_sources(sluice_shared PRIVATE $<TARGET_OBJECTS:sluice_${room}>)
  endforeach()
  find_package(Threads REQUIRED)
  get_property(iceoryx_link GLOBAL PROPERTY SLUICE_ICEORYX_LINK)
  target_link_libraries(sluice_shared PRIVATE m Threads::Threads ${iceoryx_link})
  target_link_options(sluice_shared PRIVATE -Wl,--no-undefined)
  set_target_properties(sluice_shared PROPERTIES OUTPUT_NAME sluice EXPORT_NAME sluice
    LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${SLUICE_SOVERSION}
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  if(SLUICE_SANITIZE) # a sanitizer's runtime is in the program, not in the library
    target_link_options(sluice_shared PRIVATE -Wl,--unresolved-symbols=ignore-all)
  endif()
  target_include_directories(sluice_shared INTERFACE "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")

  install(TARGETS sluice_shared EXPORT sluiceTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    NAMELINK_COMPONENT dev)
  install(FILES "${PROJECT_SOURCE_DIR}/core/shm/sluice.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    COMPONENT dev)
  set(package "${CMAKE_INSTALL_LIBDIR}/cmake/sluice")
  install(EXPORT sluiceTargets NAMESPACE sluice:: DESTINATION "${package}" COMPONENT dev)
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/sluiceConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/sluiceConfig.cmake" INSTALL_DESTINATION "${package}")
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/sluiceConfig.cmake"
    "${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake" DESTINATION "${package}" COMPONENT dev)

  # Relative to where the file lies, so that the tree may be installed anywhere and moved.
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" OUTPUT_VARIABLE SLUICE_PC_PREFIX)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/sluice.pc.in" "${PROJECT_BINARY_DIR}/sluice.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/sluice.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
    COMPONENT dev)
endfunction()

function(sluice_install)
  # What `make demo` needs, without the tests.
  get_property(programs GLOBAL PROPERTY SLUICE_PROGRAMS)
  if(TARGET sluice)
    list(APPEND programs sluice)
  endif()
  add_custom_target(programs)
  if(programs)
    add_dependencies(programs ${programs})
  endif()

  if(TARGET sluice_shm AND EXISTS "${PROJECT_SOURCE_DIR}/core/shm/sluice.h")
    sluice_shared_library()
  endif()
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/launch/" DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice/launch"
    FILES_MATCHING PATTERN "*.yaml")
endfunction()
