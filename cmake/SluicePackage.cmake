# SPDX-License-Identifier: Apache-2.0
# What makes Sluice a part of a system: service, places below /run, user; and two Debian packages
# by CPack (`make deb`): sluice (all that runs) and libsluice-dev (all to build against it).
# Included when everything else is known.

# Relative: systemd looks below /usr/lib and below /usr/local/lib.
set(SLUICE_SYSTEMD_PREFIX "lib" CACHE STRING "systemd/system, tmpfiles.d and sysusers.d are below it")
set(packaging "${PROJECT_SOURCE_DIR}/packaging")
install(FILES "${packaging}/sluice@.service" DESTINATION "${SLUICE_SYSTEMD_PREFIX}/systemd/system")
install(FILES "${packaging}/tmpfiles.conf" DESTINATION "${SLUICE_SYSTEMD_PREFIX}/tmpfiles.d"
  RENAME sluice.conf)
install(FILES "${packaging}/sysusers.conf" DESTINATION "${SLUICE_SYSTEMD_PREFIX}/sysusers.d"
  RENAME sluice.conf)
foreach(part runtime dev)
  set(name_runtime sluice)
  set(name_dev libsluice-dev)
  install(FILES "${packaging}/copyright" "${packaging}/changelog"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${name_${part}}" COMPONENT ${part})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VENDOR "The Sluice authors")
set(CPACK_PACKAGE_CONTACT "The Sluice authors <sluice@sluice.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/deb_staging.cmake")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME sluice)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION misc)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "Cameras and lidars fill shared-memory pools, drivers publish 64-byte
descriptors, and everybody reads the frame where it stands. This package
holds the command sluice, drivers and nodes, libsluice.so, launch files, and
a service template (sluice@NAME runs /etc/sluice/NAME.yaml).")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
    "${packaging}/postinst;${packaging}/prerm;${packaging}/postrm;${packaging}/triggers")
if(CMAKE_CROSSCOMPILING) # dpkg-shlibdeps looks libraries up among the installed packages
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libc6 (>= 2.36), libfyaml0, libpcap0.8, libpng16-16, \
liblz4-1, libzstd1, libbz2-1.0, libsqlite3-0, liburing2")
else()
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
endif()

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libsluice-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "sluice (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEV_DESCRIPTION "The header sluice.h, pkg-config and CMake files to build publishers and
subscribers of your own, and a driver and a node to begin from.")
# Of a package of sources: what was built, and what the demo leaves, is none.
set(CPACK_SOURCE_IGNORE_FILES "/build/;/demo-out/;/\\\\.git;/\\\\.cache/")
include(CPack)
