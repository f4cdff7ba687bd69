# SPDX-License-Identifier: Apache-2.0
set(SLUICE_ONE_THREAD ON)
sluice_test(lidar_sim_mid360 SOURCES test_sim_mid360.c
            LINK sluice_lidar_source sluice_lidar_test_frames)
sluice_test(lidar_sim_scene SOURCES test_sim_scene.c LINK sluice_lidar_source)
sluice_test(lidar_sim_packets SOURCES test_sim_packets.c LINK sluice_lidar_source)
sluice_test(lidar_sim_faults SOURCES test_sim_faults.c
            LINK sluice_lidar_source sluice_lidar_metadata sluice_lidar_decode)
sluice_test(lidar_sim_sensors SOURCES test_sim_sensors.c LINK sluice_lidar_source)
sluice_test(lidar_sim_stream SOURCES test_sim_stream.c LINK sluice_lidar_source)
sluice_test(lidar_source_udp SOURCES test_source_udp.c LINK sluice_lidar_source)
# A machine and its sensors in two network namespaces.
sluice_library(lidar_test_veth SOURCES veth.c LINK cmocka)
sluice_test(lidar_source_packet SOURCES test_source_packet.c
            LINK sluice_lidar_test_veth sluice_lidar_source)
sluice_test(lidar_source_sim SOURCES test_source_sim.c LINK sluice_lidar_source)
sluice_test(lidar_source_capture SOURCES test_source_capture.c LINK sluice_lidar_source)
sluice_test(lidar_source_real SOURCES test_source_real.c LINK sluice_lidar_source)
sluice_test(lidar_round_trip SOURCES test_round_trip.c LINK sluice_lidar_source sluice_lidar_decode)
sluice_test(lidar_counterclockwise SOURCES test_counterclockwise.c
            LINK sluice_lidar_source sluice_lidar_test_frames)
set(SLUICE_ONE_THREAD OFF)
