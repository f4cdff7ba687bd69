# SPDX-License-Identifier: Apache-2.0
# The program `lidar`, from outside.
sluice_library(lidar_test_driving SOURCES driving.c LINK sluice_shm sluice_frame cmocka m)
target_compile_definitions(sluice_lidar_test_driving
  PRIVATE "LIDAR_PROGRAM=\"$<TARGET_FILE:program_lidar>\"")
add_dependencies(sluice_lidar_test_driving program_lidar)
sluice_test(lidar_driver SOURCES test_driver.c LINK sluice_lidar_test_driving sluice_lidar_driver)
