# SPDX-License-Identifier: Apache-2.0
# Run by CPack over what goes into the Debian packages: as Debian has them, manual pages and
# changelogs are compressed (without a time in them, so that equal builds give equal packages).
file(GLOB_RECURSE files LIST_DIRECTORIES false "${CPACK_TEMPORARY_DIRECTORY}/*")
list(FILTER files INCLUDE REGEX "/share/(man/man./[^/]*[.][1-9]|doc/[^/]*/changelog)$")
foreach(file ${files})
  execute_process(COMMAND gzip -9nf "${file}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
