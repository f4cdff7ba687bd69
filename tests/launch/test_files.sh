#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_files.sh - the launch files that are delivered, run with the simulated sensor in every part.
#
# Usage: test_files.sh SLUICE LAUNCH_FOLDER      (SLUICE = the command)
set -euo pipefail
sluice=$1
files=$2
place=$(mktemp -d)
sender=
live=
finish() {
    [ -z "$sender" ] || kill "$sender" 2>/dev/null || true
    [ -z "$live" ] || kill "$live" 2>/dev/null || true
    wait
    rm -rf "$place"
}
trap finish EXIT
mkdir "$place/root"
export SLUICE_ROOT="$place/root"
cd "$place"

fail() {
    echo "$*"
    [ ! -f said ] || cat said
    exit 1
}

# What stands in `said` is of the program before until the next one's shell has opened it: who waits
# for a word in it, empties it first.
forget() {
    : >said
}

ran=
nothing_is_left() { # after which file
    ran+=" $1 "
    left=$(find "$place/root" -type s)
    [ -z "$left" ] || fail "$1: left in the domain: $left"
}

no_data=
tell_parts() {
    [ -z "$no_data" ] || printf 'SKIP: %s\n[  SKIPPED ] recorded_packets\n' "$no_data"
}

# The demo, shortened, but for slow programs.
slow=${SLUICE_EMULATED:-}${SLUICE_SANITIZE:-}
"$sluice" launch "$files/demo.yaml" duration="${slow:+1}4s" >said 2>&1 || fail "demo.yaml: status $?"
grep -q '^summary: .*losses 0$' said || fail "demo.yaml: no summary without losses"
grep -Eq '^  /lidar/points: [1-9][0-9]* frames' said || fail "demo.yaml: no frames"
[ "${SLUICE_BUS:-native}" != iceoryx ] || grep -q 'RouDi is ready' said || fail "demo.yaml: not over iceoryx"
head -c 8 demo-out/demo.png | cmp -s - <(printf '\211PNG\r\n\032\n') || fail "demo.yaml: no picture"
nothing_is_left demo.yaml

# A capture of one second: 10 turns.
status=0
"$sluice" launch "$files/vlp16_capture.yaml" >said 2>&1 || status=$?
[ "$status" = 2 ] || fail "vlp16_capture.yaml without a capture: status $status"
grep -q 'argument capture must be given: capture=VALUE' said ||
    fail "vlp16_capture.yaml without a capture: no word of it"
"$sluice" sim lidar --capture sim.pcap --duration 1s >said 2>&1 || fail "no capture was made"
"$sluice" launch "$files/vlp16_capture.yaml" capture=sim.pcap rate=4 >said 2>&1 ||
    fail "vlp16_capture.yaml: status $?"
grep -q '^summary: .*losses 0$' said || fail "vlp16_capture.yaml: no summary without losses"
grep -Eq '^  /lidar/points: (9|10|11) frames' said || fail "vlp16_capture.yaml: not its frames"
status=0
"$sluice" launch "$files/vlp16_capture.yaml" capture=none.pcap >said 2>&1 || status=$?
[ "$status" = 1 ] || fail "vlp16_capture.yaml, capture missing: status $status"
grep -q 'none.pcap' said || fail "vlp16_capture.yaml, capture missing: no word of it"
nothing_is_left vlp16_capture.yaml

# Simulated sensors of other families: 20 turns each, whole but for the first and the last; faults are counted.
for file in sim_ouster.yaml sim_hesai.yaml; do
    packets=1280
    [ "$file" = sim_ouster.yaml ] || packets=5000
    "$sluice" launch "$files/$file" packets=$packets rate=4 >said 2>&1 || fail "$file: status $?"
    grep -q '^summary: .*losses 0$' said || fail "$file: no summary without losses"
    grep -Eq '^  /lidar/points: (19|20|21) frames' said || fail "$file: not its frames"
    grep -q 'lost: nothing' said || fail "$file: packets were lost"
    nothing_is_left "$file"
    "$sluice" launch "$files/$file" returns=dual packets=1280 rate=4 faults=loss=0.05,duplicate=0.05 >said 2>&1 ||
        fail "$file with faults: status $?"
    grep -q 'lost: gap [1-9]' said || fail "$file with faults: they are not counted"
    nothing_is_left "$file"
done
# A Mid-360: a second, in frames of 100 ms.
"$sluice" launch "$files/sim_livox.yaml" packets=2083 rate=4 >said 2>&1 || fail "sim_livox.yaml: status $?"
grep -q '^summary: .*losses 0$' said || fail "sim_livox.yaml: no summary without losses"
grep -Eq '^  /lidar/points: (10|11) frames' said || fail "sim_livox.yaml: not its frames"
grep -q 'lost: nothing' said || fail "sim_livox.yaml: packets were lost"
nothing_is_left sim_livox.yaml
"$sluice" launch "$files/sim_livox.yaml" packets=2083 rate=4 faults=loss=0.05,duplicate=0.05 >said 2>&1 ||
    fail "sim_livox.yaml with faults: status $?"
grep -q 'lost: gap [1-9]' said || fail "sim_livox.yaml with faults: they are not counted"
nothing_is_left sim_livox.yaml
"$sluice" sim lidar --model mid-360 --capture livox.pcap --duration 1s >said 2>&1 || fail "no capture of a Livox was made"
"$sluice" launch "$files/livox_capture.yaml" capture=livox.pcap model=mid-360 rate=4 >said 2>&1 ||
    fail "livox_capture.yaml: status $?"
grep -q '^summary: .*losses 0$' said || fail "livox_capture.yaml: no summary without losses"
grep -Eq '^  /lidar/points: (10|11) frames' said || fail "livox_capture.yaml: not its frames"
nothing_is_left livox_capture.yaml
status=0
"$sluice" launch "$files/sim_ouster.yaml" faults=loss=2 >said 2>&1 || status=$?
[ "$status" != 0 ] || fail "sim_ouster.yaml, no such share: status $status"
grep -q 'fault loss=2: give 0 to 1' said || fail "sim_ouster.yaml, no such share: no word of it"

# The same Ouster in a capture, with the metadata that it tells: 10 turns.
"$sluice" sim lidar --model os1-64 --metadata os1.json --capture os1.pcap --duration 1s >said 2>&1 ||
    fail "no capture of an Ouster was made"
"$sluice" launch "$files/ouster_capture.yaml" capture=os1.pcap metadata=os1.json rate=4 >said 2>&1 ||
    fail "ouster_capture.yaml: status $?"
grep -q '^summary: .*losses 0$' said || fail "ouster_capture.yaml: no summary without losses"
grep -Eq '^  /lidar/points: (9|10|11) frames' said || fail "ouster_capture.yaml: not its frames"
nothing_is_left ouster_capture.yaml
"$sluice" sim lidar --model xt32 --capture xt32.pcap --duration 1s >said 2>&1 || fail "no capture of a Hesai was made"
"$sluice" launch "$files/hesai_capture.yaml" capture=xt32.pcap model=xt32 rate=4 >said 2>&1 ||
    fail "hesai_capture.yaml: status $?"
grep -Eq '^  /lidar/points: (9|10|11) frames' said || fail "hesai_capture.yaml: not its frames"
nothing_is_left hesai_capture.yaml

# A camera without hardware, small enough for a machine that is busy.
"$sluice" launch "$files/pattern.yaml" count=20 rate=10 width=640 height=480 >said 2>&1 ||
    fail "pattern.yaml: status $?"
grep -Eq '^  /pattern/image: 20 frames' said || fail "pattern.yaml: not its frames"
grep -Eq 'image: [1-9][0-9]* frames, [1-9][0-9]* patterns, .* faults 0,' said ||
    fail "pattern.yaml: no word of right patterns"
status=0
"$sluice" launch "$files/pattern.yaml" encoding=rgb >said 2>&1 || status=$?
[ "$status" = 2 ] || fail "pattern.yaml, no encoding: status $status"
grep -q 'did you mean rgb8?' said || fail "pattern.yaml, no encoding: no word of it"
nothing_is_left pattern.yaml

# A log of what the simulated lidar publishes.
"$sluice" launch "$files/record.yaml" duration=3s >said 2>&1 || fail "record.yaml: status $?"
"$sluice" info record-out/lidar.mcap >said 2>&1 || fail "record.yaml: no log"
grep -q '/lidar/points' said || fail "record.yaml: no points in the log"
"$sluice" check record-out/lidar.mcap >said 2>&1 || fail "record.yaml: a damaged log"
nothing_is_left record.yaml

# And that log onto the bus again.
"$sluice" launch "$files/replay.yaml" log=record-out/lidar.mcap rate=4 >said 2>&1 ||
    fail "replay.yaml: status $?"
grep -Eq 'lidar/points: [1-9][0-9]* frames, .* lost 0 .* faults 0,' said || fail "replay.yaml: not its frames"
nothing_is_left replay.yaml

# And its raw packets, decoded anew.
"$sluice" launch "$files/replay_lidar.yaml" log=record-out/lidar.mcap rate=4 >said 2>&1 ||
    fail "replay_lidar.yaml: status $?"
grep -q 'lost: nothing' said || fail "replay_lidar.yaml: packets were lost"
grep -Eq '^  /lidar/points: [1-9][0-9]* frames' said || fail "replay_lidar.yaml: no frames"
nothing_is_left replay_lidar.yaml

# The same file for any Velodyne; recorded packets of a large one and of a Hesai, where they are.
"$sluice" launch "$files/velodyne_capture.yaml" capture=sim.pcap model=vlp-16 rate=4 >said 2>&1 ||
    fail "velodyne_capture.yaml: status $?"
grep -Eq '^  /lidar/points: (9|10|11) frames' said || fail "velodyne_capture.yaml: not its frames"
nothing_is_left velodyne_capture.yaml
lidars=${SLUICE_TEST_DATA:-${SLUICE_SOURCE:-.}/../shared/data}/lidar
if [ -r "$lidars/hesai/derived" ]; then
    "$sluice" launch "$files/velodyne_capture.yaml" model=hdl-32e \
        capture="$lidars/velodyne/mrpt/sample_velodyne_hdl32.pcap" >said 2>&1 ||
        fail "velodyne_capture.yaml: status $?"
    grep -q '^summary: .*losses 0$' said || fail "velodyne_capture.yaml: no summary without losses"
    grep -Eq '^  /lidar/points: 4 frames' said || fail "velodyne_capture.yaml: not its frames"
    nothing_is_left velodyne_capture.yaml
    "$sluice" launch "$files/hesai_capture.yaml" model=xt32 \
        capture="$lidars/hesai/derived/nebula_xt32_1673400677802009732.pcap" \
        correction="$lidars/hesai/nebula/calibration/PandarXT32.csv" >said 2>&1 ||
        fail "hesai_capture.yaml: status $?"
    grep -q '^summary: .*losses 0$' said || fail "hesai_capture.yaml: no summary without losses"
    grep -Eq '^  /lidar/points: 5 frames' said || fail "hesai_capture.yaml: not its frames"
    nothing_is_left hesai_capture.yaml
    "$sluice" launch "$files/robosense_capture.yaml" model=helios \
        capture="$lidars/robosense/derived/nebula_helios16P_rosbag2_2023_08_03-11_02_46_0.pcap" \
        >said 2>&1 || fail "robosense_capture.yaml: status $?"
    grep -q '^summary: .*losses 0$' said || fail "robosense_capture.yaml: no summary without losses"
    grep -Eq '^  /lidar/points: 7 frames' said || fail "robosense_capture.yaml: not its frames"
    nothing_is_left robosense_capture.yaml
else
    no_data="no recorded packets in $lidars (SLUICE_TEST_DATA names the folder of test data)"
fi

# Recorded packets of an Ouster, where they are: three turns.
data=${SLUICE_TEST_DATA:-${SLUICE_SOURCE:-.}/../shared/data}/lidar/ouster/sdk
recorded=OS-1-128_v2.3.0_1024x10
status=0
"$sluice" launch "$files/ouster_capture.yaml" capture=none.pcap >said 2>&1 || status=$?
[ "$status" = 2 ] || fail "ouster_capture.yaml without metadata: status $status"
grep -q 'argument metadata must be given' said || fail "ouster_capture.yaml without metadata: no word of it"
if [ -r "$data/$recorded.json" ]; then
    "$sluice" launch "$files/ouster_capture.yaml" capture="$data/${recorded}_lb_n3.pcap" \
        metadata="$data/$recorded.json" >said 2>&1 || fail "ouster_capture.yaml: status $?"
    grep -q '^summary: .*losses 0$' said || fail "ouster_capture.yaml: no summary without losses"
    grep -Eq '^  /lidar/points: 3 frames' said || fail "ouster_capture.yaml: not its frames"
    nothing_is_left ouster_capture.yaml
fi

if [ -n "${SLUICE_EMULATED:-}" ]; then
    tell_parts
    echo "launch files: fine, but for vlp16.yaml and ouster.yaml: qemu-user has not all options of UDP sockets"
    exit
fi

# A live sensor: the packets come by UDP until frames were seen.
# The ports are this process's own: one of 2700 pairs below those that the kernel gives away, and between
# those of DDS, which has the first 40 of each 250 from 7400 on.
pair=$(($$ % 2700))
port=$((7500 + 250 * (10 + pair / 30) + 4 * (pair % 30)))
with_own_ports() { # METADATA: an Ouster's, on standard output
    sed "s/\"udp_port_lidar\": *[0-9]*/\"udp_port_lidar\": $port/; s/\"udp_port_imu\": *[0-9]*/\"udp_port_imu\": $((port + 1))/" "$1"
}
await_said() { # what, by $live that runs $file
    for _ in $(seq 600); do
        ! grep -Eq "$1" said || return 0
        kill -0 "$live" 2>/dev/null || fail "$file: ended early"
        sleep 0.1
    done
    fail "$file: no '$1' within a minute"
}
end_live() {
    kill -INT "$live"
    wait "$live" || fail "$file: status $?"
    live=
}
live_sensor() { # MODEL PORT FILE ARGUMENT ...
    model=$1
    to=127.0.0.1:$2
    file=$3
    shift 3
    forget
    "$sluice" launch "$files/$file" bind=127.0.0.1 "$@" --stats-period 200ms >said 2>&1 &
    live=$!
    "$sluice" sim lidar --model "$model" --to "$to" --duration 1min >/dev/null 2>&1 &
    sender=$!
    await_said 'sluice: /lidar/points: [1-9]'
    end_live
    kill "$sender"
    wait "$sender" || true
    sender=
    grep -Eq '^  /lidar/points: [1-9][0-9]* frames' said || fail "$file: no frames"
    nothing_is_left "$file"
}
live_sensor vlp-16 $port vlp16.yaml port=$port telemetry_port=$((port + 1))
live_sensor vlp-16 $port velodyne.yaml port=$port telemetry_port=$((port + 1)) model=vlp-16
live_sensor xt32 $port hesai.yaml port=$port model=xt32
live_sensor mid-360 $port livox.yaml model=mid-360 --set lidar.port=$port --set lidar.telemetry-port=$((port + 1))
with_own_ports os1.json >os1_ports.json
live_sensor os1-64 $port ouster.yaml metadata=os1_ports.json

# A sensor that is silent: the file starts and ends.
silent_at() { # ADDRESS PORT FILE ARGUMENT ...
    bind=$1
    listens=$2
    file=$3
    shift 3
    forget
    "$sluice" launch "$files/$file" bind="$bind" "$@" >said 2>&1 &
    live=$!
    await_said "listening at $bind port $listens"
    end_live
    nothing_is_left "$file"
}
silent_sensor() { # FILE ARGUMENT ...
    silent_at 127.0.0.1 $port "$@"
}
silent_sensor hesai.yaml port=$port model=xt32
silent_sensor robosense.yaml port=$port model=helios info_port=$((port + 1))
# The ports are the model's, at an address of this process's own.
silent_at 127.1.$((pair / 256)).$((pair % 256)) 57000 livox.yaml model=hap
grep -q "58000" said || fail "livox.yaml: no word of the IMU"

if [ -r "$data/$recorded.json" ]; then
    with_own_ports "$data/$recorded.json" >recorded.json
    silent_sensor ouster.yaml metadata=recorded.json
    grep -q "IMU at $((port + 1))" said || fail "ouster.yaml: no word of the IMU"
fi

for file in "$files"/*.yaml; do
    name=$(basename "$file")
    case $name in
        dds_bridge*) ;; # launch_dds_bridge
        hesai_capture.yaml | robosense_capture.yaml)
            [ -n "$no_data" ] || [[ $ran == *" $name "* ]] || fail "$name: was not run"
            ;;
        *) [[ $ran == *" $name "* ]] || fail "$name: was not run" ;;
    esac
done
tell_parts
echo "launch files: fine"
