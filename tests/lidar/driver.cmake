# SPDX-License-Identifier: Apache-2.0
# The program `lidar`, from outside.
sluice_library(lidar_test_driving SOURCES driving.c LINK sluice_shm sluice_frame cmocka util m)
target_compile_definitions(sluice_lidar_test_driving
  PRIVATE "LIDAR_PROGRAM=\"$<TARGET_FILE:program_lidar>\"")
add_dependencies(sluice_lidar_test_driving program_lidar)
sluice_test(lidar_driver SOURCES test_driver.c LINK sluice_lidar_test_driving sluice_lidar_driver)
sluice_test(lidar_driver_refusals SOURCES test_driver_refusals.c
            LINK sluice_lidar_test_driving sluice_lidar_source)
sluice_test(lidar_driver_live SOURCES test_driver_live.c
            LINK sluice_lidar_test_driving sluice_lidar_source)
sluice_test(lidar_driver_captures SOURCES test_driver_captures.c LINK sluice_lidar_test_driving)
sluice_test(lidar_driver_bench LABELS bench
            SOURCES test_driver_bench.c ../bench/lidar_bench.c ../bench/lidar_flow.c
                    ../bench/lidar_latency.c
            LINK sluice_lidar_flow)
sluice_test(lidar_driver_ouster SOURCES test_driver_ouster.c
            LINK sluice_lidar_test_driving sluice_lidar_metadata sluice_capture)
