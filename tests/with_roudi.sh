#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# with_roudi.sh - runs a command with a RouDi of its own.
#
# Usage: tests/with_roudi.sh [--bare] COMMAND [ARG ...]
#
# RouDi's socket, locks and memory have fixed names in /tmp and /dev/shm; so the command and its
# RouDi get a mount namespace with both of their own, and several of them may run at a time. What of
# /tmp the command needs (the tree, the build, its own folder) is bound in at the same place. The
# exit status is the command's; nothing is left. Exit 77: it cannot be done here.
#
#   --bare                    start no RouDi: the command starts (and kills) its own
#   SLUICE_ROUDI_CHUNKS=N     chunks of its memory pool (default: 40000, enough for 70 publishers)
#   SLUICE_ROUDI_OPTIONS=...  instead of `-m off`
#
# It has the build's libsluice_roudi.so, as the launcher's: of $SLUICE_BUILD, else of the build that
# the command lies in.
# The command finds the configuration in $SLUICE_ROUDI_CONFIG.
set -euo pipefail

skip() {
    echo "SKIP: $1"
    exit 77
}

bare=
if [ "${1:-}" = --bare ]; then
    bare=1
    shift
fi
if [ $# -eq 0 ]; then
    sed -n 's/^# Usage: /usage: /p' "$0" >&2
    exit 2
fi

command -v -- "$1" >/dev/null || {
    echo "with_roudi: no program $1" >&2
    exit 127
}
if [ "${SLUICE_ROUDI_INSIDE:-}" != 1 ]; then
    command -v iox-roudi >/dev/null || skip "iox-roudi (Debian: iceoryx) is not installed"
    private=(unshare --mount --propagation private)
    if ! "${private[@]}" true 2>/dev/null; then
        private=(unshare --map-root-user --mount --propagation private)
        "${private[@]}" true 2>/dev/null || skip "no mount namespace may be made here"
    fi
    SLUICE_ROUDI_INSIDE=1 exec "${private[@]}" "${BASH_SOURCE[0]}" ${bare:+--bare} "$@"
fi
unset SLUICE_ROUDI_INSIDE

here=$PWD
old=$(mktemp -d /var/tmp/with_roudi.XXXXXX)
mount --rbind /tmp "$old" # to bind parts of it in again
rmdir_old() {
    umount -l "$old" 2>/dev/null && rmdir "$old" 2>/dev/null || true
}
trap rmdir_old EXIT
{ mount -t tmpfs -o mode=1777 tmpfs /tmp && mount -t tmpfs -o mode=1777 tmpfs /dev/shm; } 2>/dev/null ||
    skip "no tmpfs may be mounted here"
for folder in "${SLUICE_SOURCE:-}" "${SLUICE_BUILD:-}" "${SLUICE_TEST_DATA:-}" "$here" "$(dirname "$(command -v -- "$1")")"; do
    case $folder in
    /tmp/*)
        if [ ! -e "$folder" ]; then
            mkdir -p "$folder"
            mount --rbind "$old/${folder#/tmp/}" "$folder"
        fi
        ;;
    esac
done
rmdir_old
trap - EXIT
unset TMPDIR
cd "$here"

export SLUICE_ROUDI_CONFIG=/tmp/roudi.toml
cat >"$SLUICE_ROUDI_CONFIG" <<END
[general]
version = 1
[[segment]]
[[segment.mempool]]
size = 576
count = ${SLUICE_ROUDI_CHUNKS:-40000}
END
build=${SLUICE_BUILD:-$(dirname "$(realpath -- "$(command -v -- "$1")")")}
library=libexec/sluice/libsluice_roudi.so
while [ ! -e "$build/$library" ] && [ "$build" != / ]; do
    build=$(dirname "$build")
done
SLUICE_ROUDI_LIBRARY=
[ ! -e "$build/$library" ] || SLUICE_ROUDI_LIBRARY=$build/$library
export SLUICE_ROUDI_LIBRARY
# Without the library the build has no iceoryx: the test says so.
if [ "$bare" ] || [ ! "$SLUICE_ROUDI_LIBRARY" ]; then
    exec "$@"
fi

# What is tested here is not RouDi's speed; how long a silent one is waited for, --bare tests show.
export SLUICE_ROUDI_PATIENCE_MS=20000
: >/tmp/roudi.log
read -ra options <<<"${SLUICE_ROUDI_OPTIONS:--m off}"
LD_PRELOAD=$SLUICE_ROUDI_LIBRARY iox-roudi "${options[@]}" -c "$SLUICE_ROUDI_CONFIG" >/tmp/roudi.log 2>&1 &
roudi=$!
stop_roudi() {
    kill "$roudi" 2>/dev/null || true
    for _ in $(seq 100); do # a test may have stopped it, or it hangs at processes that are gone
        kill -0 "$roudi" 2>/dev/null || break
        sleep 0.02
    done
    kill -KILL "$roudi" 2>/dev/null || true
    wait "$roudi" 2>/dev/null || true
}
trap stop_roudi EXIT
for _ in $(seq 3000); do
    if grep -q "ready for clients" /tmp/roudi.log || ! kill -0 "$roudi" 2>/dev/null; then
        break
    fi
    sleep 0.02
done
if ! grep -q "ready for clients" /tmp/roudi.log; then
    cat /tmp/roudi.log >&2
    echo "with_roudi: RouDi did not start" >&2
    exit 1
fi
status=0
"$@" || status=$?
exit "$status"
