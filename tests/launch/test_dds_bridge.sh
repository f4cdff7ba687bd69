#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_dds_bridge.sh - launch/dds_bridge.yaml and dds_bridge_capture.yaml: clouds of a simulated lidar, and
# of a capture, are read by Cyclone DDS.
#
# Usage: test_dds_bridge.sh SLUICE LAUNCH_FOLDER DDS_READER      (SLUICE = the command)
set -euo pipefail
sluice=$1
files=$2
reader=$3
if [ ! -x "$(dirname "$sluice")/../libexec/sluice/dds_bridge" ] || [ ! -x "$reader" ]; then
    echo "SKIP: built without Cyclone DDS 0.10 (Debian: cyclonedds-dev, cyclonedds-tools)"
    exit 77
fi
place=$(mktemp -d)
launch=
finish() {
    [ -z "$launch" ] || kill "$launch" 2>/dev/null || true
    wait
    rm -rf "$place"
}
trap finish EXIT
mkdir "$place/root"
export SLUICE_ROOT="$place/root"
# On the loopback interface, without multicast.
export CYCLONEDDS_URI='<CycloneDDS><Domain id="any"><General><Interfaces><NetworkInterface name="lo"/>
</Interfaces><AllowMulticast>false</AllowMulticast></General><Discovery>
<ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>9</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>'
domain=229 # tests of the bridge have those up to 200, the bench those up to 228
[ "${SLUICE_BUS:-native}" != iceoryx ] || domain=230 # this test may run over both at once

fail() {
    echo "$*"
    cat "$place/said" "$place/read"
    exit 1
}

clouds_are_read() {
    "$sluice" launch "$files/$1" domain=$domain "${@:2}" >"$place/said" 2>&1 &
    launch=$!
    timeout 60 "$reader" $domain rt/lidar/points 15 >"$place/read" 2>&1 || fail "$1: the reader: status $?"
    grep -qx '15 clouds' "$place/read" || fail "$1: not all clouds were read"
    kill -INT "$launch"
    wait "$launch" || fail "$1: status $?"
    launch=
}

"$sluice" sim lidar --capture "$place/sim.pcap" --duration 1s >"$place/said" 2>&1 || fail "no capture was made"
clouds_are_read dds_bridge_capture.yaml capture="$place/sim.pcap" loop=true
clouds_are_read dds_bridge.yaml
grep -Eq '/lidar/points -> DDS rt/lidar/points \(sensor_msgs::msg::dds_::PointCloud2_\)' "$place/said" ||
    fail "no word of the topic"
grep -Eq '/lidar/points: [1-9][0-9]* messages sent, [0-9]+ bytes, 0 copied' "$place/said" ||
    fail "no word of what was sent"
left=$(find "$place/root" -type s)
[ -z "$left" ] || fail "left in the domain: $left"
echo "dds_bridge.yaml: fine"
