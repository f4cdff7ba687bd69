#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_record_peer.sh - a bag that is recorded from a simulated lidar, read by ROS 1's own reader:
# types, sums and every member of every message.
#
# Usage: tests/rosbag_compat/test_record_peer.sh SLUICE LIDAR
set -euo pipefail
sluice=$1
lidar=$2
python=/usr/bin/python3 # Debian's, which has Debian's modules

if ! $python -c 'import rosbag' 2>/dev/null; then
    echo "SKIP: python3-rosbag is not installed"
    exit 77
fi
folder=$(mktemp -d)
export SLUICE_ROOT=$folder/root
mkdir "$SLUICE_ROOT"
"$lidar" --model vlp-16 --source sim --log-level error &
trap 'kill $! 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
timeout 60 "$sluice" record --regex '/lidar/(points|packets)' -o "$folder/lidar.bag" --max-messages 12
$python - "$folder/lidar.bag" <<'END'
import sys
import rosbag

sums = {"sensor_msgs/PointCloud2": "1158d486dd51d683ce2f1be655c3c181",
        "velodyne_msgs/VelodyneScan": "50804fc9533a0e579e6322c04ae70566"}
with rosbag.Bag(sys.argv[1]) as bag:
    assert bag.get_type_and_topic_info().msg_types == sums, bag.get_type_and_topic_info()
    count = 0
    last = {}
    for topic, message, time in bag.read_messages():
        count += 1
        assert type(message)._md5sum == sums[type(message)._type], "the definition is another"
        assert message.header.frame_id == "lidar", message.header
        assert message.header.seq > last.get(topic, 0), message.header
        assert 0 <= (time - message.header.stamp).to_sec() < 10, (time, message.header)
        last[topic] = message.header.seq
        if topic == "/lidar/points":
            assert [f.name for f in message.fields][:3] == ["x", "y", "z"], message.fields
            assert len(message.data) == message.height * message.row_step, message.height
        else:
            assert len(message.packets) > 10 and len(message.packets[0].data) == 1206
    assert count == 12, count
END
echo "12 messages are as ROS 1 has them"
