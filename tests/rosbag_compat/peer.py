# SPDX-License-Identifier: Apache-2.0
"""peer.py - the messages of logs as readers of other people see them, a line each as
`sluice cat --hash` prints it.

Usage: peer.py bag FILE          by python3-rosbag
       peer.py rows < LINES      of the sqlite3 shell: timestamp, payload in hex, topic
"""
import hashlib
import sys


def line(time_ns, payload, topic):
    print(time_ns, hashlib.sha256(payload).hexdigest(), len(payload), topic)


def read_bag(path):
    import rosbag
    with rosbag.Bag(path) as bag:
        for topic, raw, time in bag.read_messages(raw=True):
            line(time.to_nsec(), raw[1], topic)


def read_rows():
    for row in sys.stdin:
        time_ns, payload, topic = row.rstrip("\n").split("|")
        line(int(time_ns), bytes.fromhex(payload), topic)


if sys.argv[1] == "bag":
    read_bag(sys.argv[2])
else:
    read_rows()
