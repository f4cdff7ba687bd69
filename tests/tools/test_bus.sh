#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_bus.sh - tools over iceoryx where that is asked for, and native whatever else is said.
#
# Usage: with_roudi.sh --bare test_bus.sh SLUICE      (SLUICE = the command)
set -euo pipefail
sluice=$1
if "$sluice" topic hz /none --bus iceoryx --duration 1ms 2>&1 | grep -q 'built without'; then
    echo "SKIP: built without iceoryx"
    exit 77
fi
place=$(mktemp -d)
roudi=
publisher=
finish() {
    [ -z "$publisher" ] || kill "$publisher" 2>/dev/null || true
    [ -z "$roudi" ] || kill -KILL "$roudi" 2>/dev/null || true
    wait
    rm -rf "$place"
}
trap finish EXIT
cd "$place"
export SLUICE_ROOT="$place/root"
mkdir "$SLUICE_ROOT"
message="data: hello"

fail() {
    echo "$*"
    cat said
    exit 1
}

# expect STATUS TEXT ARGUMENTS...
expect() {
    local status=0
    timeout 60 "$sluice" "${@:3}" >said 2>&1 || status=$?
    [ "$status" = "$1" ] || fail "${*:3}: status $status"
    grep -q "$2" said || fail "${*:3}: no '$2'"
}

# No RouDi: who publishes is told, who looks on is native, whatever the environment says.
export SLUICE_BUS=iceoryx
expect 1 'no RouDi runs' topic pub /t std_msgs/msg/String "$message" --once
expect 1 'no RouDi runs' topic echo /t --once --bus iceoryx
expect 1 'no RouDi runs' topic hz /t --duration 1ms --bus iceoryx
expect 1 'no RouDi runs' topic delay /t --duration 1ms --bus iceoryx
expect 1 'no RouDi runs' snapshot /t x.png --bus iceoryx
expect 0 'published 1' topic pub /t std_msgs/msg/String "$message" --once --keep 0 --bus native
expect 1 'no topic' topic echo /t --once --timeout 10ms
unset SLUICE_BUS

iox-roudi -c "$SLUICE_ROUDI_CONFIG" -m off >roudi.log 2>&1 &
roudi=$!
for _ in $(seq 1500); do
    ! grep -q 'ready for clients' roudi.log || break
    kill -0 "$roudi" 2>/dev/null || fail "RouDi did not start"
    sleep 0.02
done

# One message a time, to a reader of each bus.
"$sluice" topic pub /t std_msgs/msg/String "$message" --bus iceoryx --rate 50 >said 2>&1 &
publisher=$!
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s --bus iceoryx
ls /tmp/sluice.* >/dev/null || fail "nobody was a client of RouDi"
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s
SLUICE_BUS=iceoryx expect 0 'Hz' topic hz /t --count 5 --timeout 60s

# RouDi is gone: the ring beside it is still there.
kill -KILL "$roudi"
wait "$roudi" || true
roudi=
expect 1 'no RouDi runs' topic echo /t --once --bus iceoryx
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s
echo "tools over both: fine"
