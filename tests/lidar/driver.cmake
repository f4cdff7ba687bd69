# SPDX-License-Identifier: Apache-2.0
# The program `lidar`, from outside.
sluice_library(lidar_test_driving SOURCES driving.c LINK sluice_shm sluice_frame cmocka util m)
target_compile_definitions(sluice_lidar_test_driving
  PRIVATE "LIDAR_PROGRAM=\"$<TARGET_FILE:program_lidar>\"")
add_dependencies(sluice_lidar_test_driving program_lidar)
sluice_test(lidar_driver SOURCES test_driver.c LINK sluice_lidar_test_driving sluice_lidar_driver)
sluice_test(lidar_driver_refusals SOURCES test_driver_refusals.c
            LINK sluice_lidar_test_driving sluice_lidar_source sluice_lidar_decode)
sluice_test(lidar_driver_live SOURCES test_driver_live.c
            LINK sluice_lidar_test_driving sluice_lidar_source)
sluice_test(lidar_driver_captures SOURCES test_driver_captures.c LINK sluice_lidar_test_driving)
sluice_test(lidar_driver_bench LABELS bench
            SOURCES test_driver_bench.c ../bench/lidar_bench.c ../bench/lidar_flow.c
                    ../bench/lidar_latency.c
            LINK sluice_lidar_flow)
if(TEST lidar_driver_bench AND SLUICE_SANITIZE STREQUAL "")
  sluice_test_alone(lidar_driver_bench) # its SCHED_FIFO part, which sanitizers do without, starves others
endif()
sluice_test(lidar_flow SOURCES test_flow.c
            LINK sluice_lidar_test_driving sluice_lidar_test_frames sluice_lidar_flow)
sluice_test(lidar_driver_ouster SOURCES test_driver_ouster.c
            LINK sluice_lidar_test_driving sluice_lidar_metadata sluice_capture)
sluice_test(lidar_driver_several SOURCES test_driver_several.c
            LINK sluice_lidar_test_driving sluice_lidar_source)
sluice_test(lidar_driver_livox SOURCES test_driver_livox.c LINK sluice_lidar_test_driving)
sluice_test(lidar_driver_robosense SOURCES test_driver_robosense.c
            LINK sluice_lidar_test_driving sluice_capture)

# Over a cable between two network namespaces.
if(NOT SLUICE_SANITIZE STREQUAL "fuzzer")
  add_executable(lidar_load_sender load_sender.c load_packets.c)
  target_link_libraries(lidar_load_sender PRIVATE sluice_lidar_source)
  function(uses_load_sender test)
    target_compile_definitions(${test} PRIVATE "LOAD_SENDER=\"$<TARGET_FILE:lidar_load_sender>\"")
    add_dependencies(${test} lidar_load_sender)
  endfunction()
  sluice_test(lidar_source_xdp SOURCES test_source_xdp.c load_packets.c
              LINK sluice_lidar_test_driving sluice_lidar_test_veth sluice_lidar_flow)
  uses_load_sender(test_lidar_source_xdp)
endif()
# All sensors at once, at their real rates. That is a claim of speed: with a sanitizer it does not hold,
# and with other tests beside it, it would measure those.
if(SLUICE_SANITIZE STREQUAL "")
  sluice_test(lidar_load SOURCES test_load.c load_packets.c
              LINK sluice_lidar_test_driving sluice_lidar_test_veth sluice_lidar_source)
  uses_load_sender(test_lidar_load)
  sluice_test_alone(lidar_load)
  add_test(NAME lidar_load_packet COMMAND test_lidar_load --source packet)
  sluice_test_properties(lidar_load_packet)
  set_property(TEST lidar_load_packet APPEND PROPERTY ENVIRONMENT SLUICE_TEST=nothing_is_lost)
  sluice_test_alone(lidar_load_packet)
endif()
