#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_convert.sh - logs between all formats and back, by the command line: payload hashes, times,
# topics, types and definitions stay what they are; merging, choosing and compressing anew; damaged
# logs saved with the exit status that tells so.
#
# Usage: tests/rosbag_compat/test_convert.sh SLUICE LOG_SEEDS_FOLDER
set -euo pipefail
sluice=$1
seeds=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
    echo "$1"
    exit 1
}
convert() { "$sluice" convert "$@" >said 2>&1 || fail "convert $*: $(cat said)"; }
messages() { "$sluice" cat --hash "$@" | LC_ALL=C sort; }
# Name, type, encodings, size and hash of the definition of each topic.
topics() {
    "$sluice" info --json "$1" | tr '{' '\n' | sed -n 's/^"name": *\("[^"]*"\), *"type": *\([^,]*\), *\("encoding".*\), *"messages".*/\1 \2 \3/p' |
        LC_ALL=C sort -u
}
expect_status() { # status, command
    local status=0
    "${@:2}" >said 2>&1 || status=$?
    [ $status = "$1" ] || fail "${*:2}: status $status, not $1: $(cat said)"
}

# Every format into every format, in each compression.
cp "$seeds/mcap/plain" mcap.mcap
cp "$seeds/ros1bag/plain" ros1.bag
cp "$seeds/rosbag2/schema_4" rows.db3
cp "$seeds/pcap/pcapng_fragments" packets.pcapng
for log in mcap.mcap ros1.bag rows.db3 packets.pcapng; do
    messages $log >wanted
    topics $log >wanted_topics
    grep -q '"definition_sha256": "' wanted_topics || fail "$log: no definition in it"
    [ -s wanted ] && [ -s wanted_topics ] || fail "$log: nothing in it"
    for target in mcap: mcap:lz4 mcap:zstd rosbag1: rosbag1:lz4 rosbag1:bz2 \
        rosbag2: rosbag2:zstd rosbag2:zstd:message rosbag2:zstd:file \
        rosbag2-sqlite: rosbag2-sqlite:zstd:message rosbag2-sqlite:zstd:file; do
        IFS=: read -r format compression pack <<<"$target"
        convert $log to --format "$format" --compression "${compression:-none}" --pack "${pack:-chunk}"
        messages to | cmp - wanted || fail "$log as $target: other messages"
        topics to | cmp - wanted_topics || fail "$log as $target: other topics"
        # and from there back into what it was
        case $log in
        *.mcap | *.bag | *.pcapng) convert to "back.${log#*.}" ;;
        *) convert to "back.${log#*.}" --format rosbag2-sqlite ;;
        esac
        messages back.* | cmp - wanted || fail "$log by $target and back: other messages"
        topics back.* | cmp - wanted_topics || fail "$log by $target and back: other topics"
        expect_status 0 "$sluice" check to
        rm -r to back.*
    done
done

# Merged by time, chosen by topic and time.
convert mcap.mcap ros1.bag both.mcap --compression zstd
LC_ALL=C sort -m <(messages mcap.mcap) <(messages ros1.bag) | cmp - <(messages both.mcap) || fail "merging"
"$sluice" cat --hash both.mcap | cut -d' ' -f1 | sort -nc || fail "merged, the order is not that of time"
topic=$("$sluice" cat --hash mcap.mcap | head -1 | cut -d' ' -f4-)
convert mcap.mcap one.bag --topic "$topic"
messages mcap.mcap | grep " $topic\$" | cmp - <(messages one.bag) || fail "choosing a topic"
convert mcap.mcap others.mcap --exclude "$topic"
messages mcap.mcap | grep -v " $topic\$" | cmp - <(messages others.mcap) || fail "leaving out a topic"
first=$("$sluice" cat --hash mcap.mcap | head -1 | cut -d' ' -f1)
middle=$("$sluice" cat --hash mcap.mcap | sed -n 5p | cut -d' ' -f1)
convert mcap.mcap later.mcap --start "$((middle - first))ns"
"$sluice" cat --hash mcap.mcap | awk -v from="$middle" '$1 >= from' | LC_ALL=C sort |
    cmp - <(messages later.mcap) || fail "choosing a time"
nanoseconds=$((middle % 1000000000))
date=$(date -u -d "@$((middle / 1000000000))" +%Y-%m-%dT%H:%M:%S).$(printf %09d "$nanoseconds")Z
convert mcap.mcap same.mcap --start "$date"
messages later.mcap | cmp - <(messages same.mcap) || fail "choosing by a date"
rm same.mcap
convert mcap.mcap earlier.mcap --end "@$((middle / 1000000000)).$(printf %09d "$nanoseconds")"
"$sluice" cat --hash mcap.mcap | awk -v to="$middle" '$1 <= to' | LC_ALL=C sort |
    cmp - <(messages earlier.mcap) || fail "choosing an end"
expect_status 1 "$sluice" convert mcap.mcap none.mcap --end teatime
grep -q -- "--end: 'teatime' is no time; give it" said || fail "a wrong time is not told: $(cat said)"
expect_status 1 "$sluice" convert mcap.mcap none.mcap --topic /not/there
grep -q 'no topic /not/there' said || fail "an absent topic is not told: $(cat said)"
[ ! -e none.mcap ] || fail "a failed conversion leaves a file"
expect_status 1 "$sluice" convert mcap.mcap packets.pcap
grep -q 'udp_msgs' said || fail "what is no packet is not told: $(cat said)"

# What is not a message goes along between files of MCAP.
convert mcap.mcap again.mcap
others() { "$sluice" info --json "$1" | sed 's/.*"attachments"/"attachments"/'; }
others again.mcap | grep -q '"name": "a", "media_type": "text/plain".*"size_bytes": 3' || fail "no attachment"
cmp <(others mcap.mcap) <(others again.mcap) || fail "attachments and metadata are others"
convert mcap.mcap less.bag
grep -q '1 attachments are left out' said || fail "an attachment that is left out is not told: $(cat said)"
rm less.bag

# As YAML.
"$sluice" cat --yaml --count 1 --elements 3 packets.pcapng >document
cmp document - <<'END' || fail "as YAML: $(cat document)"
---
topic: "/udp/port_2368"
type: "udp_msgs/msg/UdpPacket"
receive_ns: 1
publish_ns: 1
sequence: 0
size_bytes: 540
data:
  header:
    stamp:
      sec: 0
      nanosec: 1
    frame_id: ""
  address: "10.0.0.1"
  src_port: 2368
  data: [112, 97, 99, ... 497 more]
END

# Older forms of rosbag2.
for version in 1 2 3 4 5 6 7 8 9; do
    convert mcap.mcap old --format rosbag2-sqlite --metadata-version $version --schema $(((version + 2) / 3 + 1))
    grep -q "version: $version" old/metadata.yaml || fail "metadata.yaml is not of version $version"
    messages old | cmp - <(messages mcap.mcap) || fail "version $version of rosbag2 holds other messages"
    rm -r old
done
expect_status 1 "$sluice" convert mcap.mcap old.bag --schema 1
expect_status 1 "$sluice" convert mcap.mcap old --metadata-version 2 --pack file
[ ! -e old ] || fail "a refused conversion leaves a folder"

# Exit statuses: whole, saved with losses, hopeless.
for cut in 40:mcap.mcap 70:ros1.bag 60:packets.pcapng; do # per cent, where messages are
    log=${cut#*:}
    expect_status 0 "$sluice" recover $log saved.mcap
    messages $log | cmp - <(messages saved.mcap) || fail "$log, whole, is not saved as it is"
    head -c $(($(stat -c %s $log) * ${cut%:*} / 100)) $log >"cut_$log"
    expect_status 3 "$sluice" check "cut_$log"
    expect_status 3 "$sluice" recover "cut_$log" less.mcap
    LC_ALL=C comm -13 <(messages $log) <(messages less.mcap) | grep . && fail "$log: saved what was not there"
    expect_status 0 "$sluice" check less.mcap
    head -c 20 $log >"hopeless_$log"
    expect_status 1 "$sluice" recover "hopeless_$log" nothing.mcap
    [ ! -e nothing.mcap ] || fail "hopeless_$log: a log of nothing is left"
    rm -f saved.mcap less.mcap nothing.mcap
done
echo "all formats into all formats"
