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
killed=
finish() {
    [ -z "$publisher" ] || kill "$publisher" 2>/dev/null || true
    [ -z "$killed" ] || kill -KILL "$killed" 2>/dev/null || true
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

await_roudi() {
    for _ in $(seq 3000); do
        ! grep -q 'ready for clients' roudi.log || return 0
        kill -0 "$roudi" 2>/dev/null || fail "RouDi did not start"
        sleep 0.02
    done
    fail "RouDi was not ready within a minute"
}

expect 0 'ok       iceoryx      no RouDi runs' doctor

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

LD_PRELOAD=$SLUICE_ROUDI_LIBRARY iox-roudi -c "$SLUICE_ROUDI_CONFIG" -m off >roudi.log 2>&1 &
roudi=$!
await_roudi

expect 0 "ok       iceoryx      RouDi runs (process $roudi) and lets stopped processes live" doctor

kill -STOP "$roudi"
expect 1 "PROBLEM  iceoryx      RouDi (process $roudi) does not answer: it is stopped" doctor
kill -CONT "$roudi"

# One message a time, to a reader of each bus.
"$sluice" topic pub /t std_msgs/msg/String "$message" --bus iceoryx --rate 50 >published 2>&1 &
publisher=$!
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s --bus iceoryx
ls /tmp/sluice.* >/dev/null || fail "nobody was a client of RouDi"
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s
SLUICE_BUS=iceoryx expect 0 'Hz' topic hz /t --count 5 --timeout 60s

# A client that is killed leaves the lock of its place, which nobody else has met.
"$sluice" topic pub /killed std_msgs/msg/String "$message" --bus iceoryx --rate 50 >killed 2>&1 &
killed=$!
expect 0 'data: hello' topic echo /killed --count 1 --timeout 60s --bus iceoryx
kill -KILL "$killed"
wait "$killed" || true
killed=
ls "$SLUICE_ROOT"/default/iceoryx.*.lock | wc -l | grep -qx 2 || fail "not two places"
expect 0 'removed  iceoryx\.' doctor --clean
ls "$SLUICE_ROOT"/default/iceoryx.*.lock | wc -l | grep -qx 1 || fail "not one place"
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s --bus iceoryx

# RouDi is gone: the ring beside it is still there.
kill -KILL "$roudi"
wait "$roudi" || true
roudi=
expect 1 'no RouDi runs' topic echo /t --once --bus iceoryx
expect 0 'data: hello' topic echo /t --count 3 --timeout 60s

# One with monitoring on, which stopped processes do not survive.
rm -f roudi.log
iox-roudi -c "$SLUICE_ROUDI_CONFIG" -m on >roudi.log 2>&1 &
roudi=$!
await_roudi
expect 0 'WARNING  iceoryx      RouDi .* watches its processes' doctor
echo "tools over both: fine"
