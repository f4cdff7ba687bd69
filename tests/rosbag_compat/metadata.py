# SPDX-License-Identifier: Apache-2.0
"""metadata.py - is this the metadata.yaml of a rosbag2 folder, as PyYAML reads it? The version that
it has decides which fields there are, no more and no fewer, and of which types.

Usage: metadata.py FILE MESSAGES   so many messages it must tell, in all and by topics and files
"""
import os
import sys

import yaml

QOS = {"history": str, "depth": int, "reliability": str, "durability": str, "deadline": dict,
       "lifespan": dict, "liveliness": str, "liveliness_lease_duration": dict,
       "avoid_ros_namespace_conventions": bool}
WORDS = {"history": {"keep_last", "keep_all", "system_default", "unknown"},
         "reliability": {"reliable", "best_effort", "system_default", "unknown"},
         "durability": {"volatile", "transient_local", "system_default", "unknown"},
         "liveliness": {"automatic", "manual_by_topic", "system_default", "unknown"}}


def check(value, fields, where):
    assert isinstance(value, dict), f"{where} is {value!r}"
    assert set(value) == set(fields), f"{where} has {sorted(value)}, not {sorted(fields)}"
    for name, kind in fields.items():
        assert isinstance(value[name], kind), f"{where}: {name} is {value[name]!r}"


def check_span(value, where):
    check(value["starting_time"], {"nanoseconds_since_epoch": int}, f"{where}: starting_time")
    check(value["duration"], {"nanoseconds": int}, f"{where}: duration")
    begin = value["starting_time"]["nanoseconds_since_epoch"]
    return begin, begin + value["duration"]["nanoseconds"]


def check_qos(profiles, version, where):
    if version < 9:
        profiles = yaml.safe_load(profiles) or []
    numbers = {name: int if name in WORDS else kind for name, kind in QOS.items()}
    for profile in profiles:
        check(profile, QOS if version >= 9 else numbers, f"{where}: QoS")
        for name in ("deadline", "lifespan", "liveliness_lease_duration"):
            check(profile[name], {"sec": int, "nsec": int}, f"{where}: {name}")
        for name in WORDS if version >= 9 else ():
            assert profile[name] in WORDS[name], f"{where}: {name} is {profile[name]}"


def check_topic(topic, version):
    check(topic, {"topic_metadata": dict, "message_count": int}, "a topic")
    fields = {"name": str, "type": str, "serialization_format": str}
    if version >= 4:
        fields["offered_qos_profiles"] = list if version >= 9 else str
    if version >= 7:
        fields["type_description_hash"] = str
    check(topic["topic_metadata"], fields, "topic_metadata")
    if version >= 4:
        check_qos(topic["topic_metadata"]["offered_qos_profiles"], version,
                  topic["topic_metadata"]["name"])
    return topic["message_count"]


def check_files(info, span):
    assert [f["path"] for f in info["files"]] == info["relative_file_paths"], info["files"]
    for file in info["files"]:
        check(file, {"path": str, "starting_time": dict, "duration": dict, "message_count": int},
              "a file")
        first, last = check_span(file, file["path"])
        assert file["message_count"] == 0 or span[0] <= first <= last <= span[1], file
    return sum(f["message_count"] for f in info["files"])


def check_info(info, folder, messages):
    version = info["version"]
    fields = {"version": int, "storage_identifier": str, "duration": dict, "starting_time": dict,
              "message_count": int, "topics_with_message_count": list, "relative_file_paths": list}
    if version >= 3:
        fields.update(compression_format=str, compression_mode=str)
    if version >= 5:
        fields["files"] = list
    if version >= 6:
        fields["custom_data"] = (dict, type(None))
    if version >= 8:
        fields["ros_distro"] = str
    check(info, fields, "rosbag2_bagfile_information")
    assert info["storage_identifier"] in ("mcap", "sqlite3"), info["storage_identifier"]
    span = check_span(info, "the folder")
    counts = [info["message_count"], sum(check_topic(t, version)
                                         for t in info["topics_with_message_count"])]
    if version >= 5:
        counts.append(check_files(info, span))
    assert counts == len(counts) * [messages], f"{counts} messages, not {messages}"
    for path in info["relative_file_paths"]:
        assert os.path.exists(os.path.join(folder, path)), f"{path} is not there"


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    check(document, {"rosbag2_bagfile_information": dict}, path)
    check_info(document["rosbag2_bagfile_information"], os.path.dirname(path), int(sys.argv[2]))


main()
