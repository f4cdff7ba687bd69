/* SPDX-License-Identifier: Apache-2.0 */
/* rosbag_storage_reader.cpp - a ROS 1 bag read by ROS's own library, librosbag_storage: what
 * `sluice bench play` is compared with.
 *
 * Usage: rosbag_storage_reader BAG
 *
 * Reads every message in the order of time, its bytes into memory of its own, as somebody does who
 * means to publish them. Prints "wall_ns messages bytes": from when the first message is
 * there to when the last one is, without opening the bag and reading its index. */
#include <ros/serialization.h>
#include <rosbag/bag.h>
#include <rosbag/view.h>

#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <vector>

static uint64_t now_ns()
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

static void read_all(const char *path)
{
    rosbag::Bag bag(path, rosbag::bagmode::Read);
    rosbag::View view(bag);
    std::vector<uint8_t> body;
    uint64_t start_ns = 0;
    uint64_t messages = 0;
    uint64_t bytes = 0;
    for (const rosbag::MessageInstance &message : view) {
        body.resize(message.size());
        ros::serialization::OStream stream(body.data(), message.size());
        message.write(stream);
        if (messages++ == 0)
            start_ns = now_ns();
        bytes += message.size();
    }
    std::printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", now_ns() - start_ns, messages, bytes);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    try {
        read_all(argv[1]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s: %s\n", argv[1], error.what());
        return 1;
    }
    return 0;
}
