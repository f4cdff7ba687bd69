# SPDX-License-Identifier: Apache-2.0
# The bus by its public interface, against bad peers, and against death.
set(shm_support "${CMAKE_CURRENT_SOURCE_DIR}/support.c")
foreach(name slots publish policy lossless wait lease life domain stats death)
  sluice_test(shm_${name} SOURCES test_${name}.c ${shm_support} LINK sluice_shm)
endforeach()
foreach(name lies hostile)
  sluice_test(shm_${name} SOURCES test_${name}.c impostor.c ${shm_support} LINK sluice_shm)
endforeach()
# By hand, for as long as you like: test_shm_stress --seconds 600
sluice_test(shm_stress SOURCES stress.c ${shm_support} LINK sluice_shm)
