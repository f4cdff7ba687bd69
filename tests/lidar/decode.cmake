# SPDX-License-Identifier: Apache-2.0
sluice_library(lidar_test_frames SOURCES frames.c LINK sluice_lidar_decode cmocka m)
set(SLUICE_ONE_THREAD ON)
sluice_test(lidar_block_kernel SOURCES test_block_kernel.c LINK sluice_lidar_decode)
sluice_test(lidar_clock_fit SOURCES test_clock_fit.c LINK sluice_lidar_decode m)
sluice_test(lidar_fix SOURCES test_fix.c LINK sluice_lidar_test_frames)
sluice_test(lidar_velodyne SOURCES test_velodyne.c LINK sluice_lidar_test_frames)
sluice_test(lidar_velodyne_models SOURCES test_velodyne_models.c LINK sluice_lidar_test_frames)
sluice_test(lidar_decoder SOURCES test_decoder.c LINK sluice_lidar_test_frames)
sluice_test(lidar_decoder_order SOURCES test_decoder_order.c LINK sluice_lidar_test_frames)
sluice_test(lidar_velodyne_captures SOURCES test_velodyne_captures.c
            LINK sluice_lidar_test_frames sluice_capture)
sluice_test(lidar_ouster_captures SOURCES test_ouster_captures.c md5.c
            LINK sluice_lidar_metadata sluice_lidar_test_frames sluice_yaml sluice_capture)
sluice_test(lidar_ouster SOURCES test_ouster.c LINK sluice_lidar_metadata)
sluice_test(lidar_http SOURCES test_http.c LINK sluice_lidar_fetch)
sluice_test(lidar_column_kernel SOURCES test_column_kernel.c LINK sluice_lidar_decode)
sluice_test(lidar_ouster_frames SOURCES test_ouster_frames.c LINK sluice_lidar_test_frames)
sluice_test(lidar_ouster_decoder SOURCES test_ouster_decoder.c LINK sluice_lidar_test_frames)
sluice_test(lidar_velodyne_large_captures SOURCES test_velodyne_large_captures.c
            LINK sluice_lidar_test_frames sluice_capture)
sluice_test(lidar_hesai_captures SOURCES test_hesai_captures.c
            LINK sluice_lidar_test_frames sluice_capture)
sluice_test(lidar_hesai SOURCES test_hesai.c LINK sluice_lidar_test_frames)
sluice_test(lidar_hesai_mirror SOURCES test_hesai_mirror.c
            LINK sluice_lidar_metadata sluice_lidar_test_frames)
sluice_test(lidar_velodyne_hdl64 SOURCES test_velodyne_hdl64.c
            LINK sluice_lidar_metadata sluice_lidar_test_frames)
sluice_test(lidar_robosense SOURCES test_robosense.c LINK sluice_lidar_test_frames)
sluice_test(lidar_robosense_captures SOURCES test_robosense_captures.c
            LINK sluice_lidar_test_frames sluice_capture)
sluice_test(lidar_list_kernel SOURCES test_list_kernel.c LINK sluice_lidar_decode)
sluice_test(lidar_livox SOURCES test_livox.c LINK sluice_lidar_test_frames)
set(SLUICE_ONE_THREAD OFF)
