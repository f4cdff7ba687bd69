#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_rig.sh - a rig that cannot fail proves nothing: guests that fail, panic and hang are told as
# such, and leave no machine behind.
#
# Usage: test_rig.sh BUILD
set -euo pipefail

build=$1
run=$(dirname "$0")/run.sh
work=$(mktemp -d)
trap 'rm -rf "$work" "$build"/tests/vm/rig_*' EXIT

# ends_with STATUS "WORDS": the guest whose test is the standard input
ends_with() {
    local wanted=$1 words=$2 status=0
    ran=$((ran + 1))
    cat >"$work/rig_$ran.sh"
    "$run" "$work/rig_$ran.sh" "$build" >"$work/said" 2>&1 || status=$?
    if [ "$status" = 77 ] && [ "$wanted" != 77 ]; then
        cat "$work/said"
        exit 77
    fi
    if [ "$status" != "$wanted" ] || ! grep -q "$words" "$work/said"; then
        echo "status $status instead of $wanted, or nowhere \"$words\":"
        cat "$work/said"
        exit 1
    fi
    if pgrep -f "initrd $build/tests/vm/rig_$ran/" >/dev/null; then
        echo "a machine is left"
        exit 1
    fi
}

ran=0
ends_with 1 'FAIL: test.sh:2: status 3' <<'END'
echo "a command that fails ends the test"
sh -c 'exit 3'
END
ends_with 1 'Kernel panic.*sysrq' <<'END'
echo c >/proc/sysrq-trigger
END
SLUICE_VM_SECONDS=5 ends_with 1 'the guest hung and was ended after 5 s' <<'END'
killall -KILL timeout # its own clock
sleep 1000
END
ends_with 77 'SKIP: no such device' <<'END'
skip "no such device"
END
echo "vm_rig: $ran guests ended as they should"
