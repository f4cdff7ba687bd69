#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_containers.sh - publisher and subscribers in containers of their own, as docs/containers.md
# says: every namespace is another one (mount, pid, ipc, net, uts), the root too; only the domain's
# directory is shared. Once made by root, with a user for each; once by user namespaces.
#
# Usage: test_containers.sh PROGRAM SLUICE     (PROGRAM = that of containers.c)
set -euo pipefail

# The second life of this script: inside of the namespaces, as process 1.
if [ "$1" = --inside ]; then
    shift
    root=$1 domain=$2 program=$3 as=()
    [ -z "$4" ] || as=(--userspec="$4")
    shift 4
    mount -t tmpfs -o mode=755 none "$root"
    mkdir -p "$root"/{usr,proc,app,run/sluice/default}
    for folder in lib lib64 bin; do
        if [ -L /$folder ]; then
            cp -a "/$folder" "$root/$folder"
        elif [ -d /$folder ]; then
            mkdir "$root/$folder"
            mount --rbind "/$folder" "$root/$folder"
        fi
    done
    mount --rbind /usr "$root/usr"
    mount --bind "$(dirname "$program")" "$root/app"
    mount --bind "$domain" "$root/run/sluice/default"
    mount -t proc proc "$root/proc"
    exec chroot "${as[@]}" "$root" /usr/bin/env -i "/app/$(basename "$program")" "$@"
fi

program=$(realpath "$1")
sluice=$2
group=4242
work=$(mktemp -d)
declare -A outer=() inner=() # by name: the process of unshare, and process 1 as we see it
finish() {
    local name
    for name in "${!inner[@]}"; do
        kill -KILL "${inner[$name]}" 2>/dev/null || true
        wait "${outer[$name]}" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
fail() {
    local file
    echo "$mode: $*"
    for file in "$work/$mode"/*.said; do
        echo "-- $(basename "$file")" && tail -n 5 "$file"
    done
    exit 1
}

# within "WHAT" COMMAND...: at the latest soon
within() {
    local what=$1 try
    shift
    for try in $(seq 1200); do
        ! "$@" || return 0
        sleep 0.05
    done
    fail "not within a minute: $what"
}

first_child() {
    local children
    kill -0 "${outer[$1]}" 2>/dev/null || fail "$1 does not start"
    children=$(cat "/proc/${outer[$1]}/task/${outer[$1]}/children" 2>/dev/null) && [ -n "$children" ] || return 1
    inner[$1]=${children%% *}
}

start() { # name, user:group or nothing, arguments of the program
    local name=$1 user=$2
    shift 2
    mkdir -p "$work/$mode/$name"
    unshare "${spaces[@]}" --fork --kill-child bash "$0" --inside "$work/$mode/$name" "$work/$mode/run/default" \
        "$program" "$user" "$@" >"$work/$mode/$name.said" 2>&1 &
    outer[$name]=$!
    within "$name starts" first_child "$name"
}

last_says() { # name, pattern
    tail -n 1 "$work/$mode/$1.said" | grep -Eq "$2"
}

ends() { # name, signal; unshare gives killed children statuses of its own
    local status=0
    kill "-$2" "${inner[$1]}"
    wait "${outer[$1]}" || status=$?
    unset "inner[$1]"
    [ "$2" = KILL ] || [ "$status" = 0 ] || fail "$1 ended with status $status"
}

read_count() {
    tail -n 1 "$work/$mode/reader.said" | sed -n 's/.* read \([0-9]*\) .*/\1/p'
}

reads_more_than() {
    local now
    now=$(read_count)
    [ -n "$now" ] && [ "$now" -gt "$1" ]
}

spaces_are_permitted() {
    mkdir -p "$work/$mode/try"
    unshare "${spaces[@]}" --fork --kill-child sh -c "mount -t tmpfs none '$work/$mode/try' &&
        mkdir '$work/$mode/try/proc' && mount -t proc proc '$work/$mode/try/proc'" >"$work/why" 2>&1
}

run_all() {
    mkdir -p "$work/$mode/run/default"
    chmod 755 "$work" "$work/$mode" "$work/$mode/run"
    if [ "$mode" = root ]; then
        chgrp $group "$work/$mode/run/default"
        chmod 2770 "$work/$mode/run/default" # as packaging/tmpfiles.conf has it
    else
        chmod 700 "$work/$mode/run/default"
    fi

    # Data flows, and each sees nothing of the other but the directory.
    start publisher "$publisher_user" publish
    start reader "$reader_user" read
    within "the reader reads" reads_more_than 20
    for space in pid mnt ipc net uts; do
        [ "$(readlink "/proc/${inner[publisher]}/ns/$space")" != "$(readlink "/proc/${inner[reader]}/ns/$space")" ] ||
            fail "both are in the same $space namespace"
    done

    # A killed subscriber costs nothing for good: there are as many places, and slots, as two need.
    for _ in 1 2 3 4 5; do
        start holder "$reader_user" read 2
        within "the holder holds" last_says holder 'publishers 1 holds 2'
        within "the publisher sees it" last_says publisher 'subscribers 2 '
        ends holder KILL
        within "the publisher notices" last_says publisher 'subscribers 1 '
    done
    before=$(read_count)
    within "the reader goes on" reads_more_than "$before"

    # A killed publisher is noticed; what is held stays; its successor is found.
    start holder "$reader_user" read 2
    within "the holder holds" last_says holder 'publishers 1 holds 2'
    ends publisher KILL
    within "the reader notices" last_says reader 'publishers 0 '
    before=$(read_count)
    start publisher "$publisher_user" publish
    within "the reader finds the new one" last_says reader 'publishers 1 '
    within "the reader reads on" reads_more_than "$before"
    last_says holder 'holds 2' || fail "the holder lost its frames"

    ends holder TERM
    ends reader TERM
    ends publisher TERM
    # What the killed could not take with them goes when somebody looks: for the topic, for nodes.
    SLUICE_ROOT=$work/$mode/run "$sluice" topic echo /contained --once --timeout 100ms >/dev/null 2>&1 || true
    SLUICE_ROOT=$work/$mode/run "$sluice" topic list >/dev/null
    left=$(find "$work/$mode/run" ! -type d)
    [ -z "$left" ] || fail "left: $left"
    ran=$((ran + 1))
}

ran=0
mode=root
spaces=(--mount --pid --ipc --net --uts)
publisher_user=1001:$group
reader_user=1002:$group
[ "$(id -u)" != 0 ] || ! spaces_are_permitted || run_all

mode=user
spaces=(--user --map-root-user --mount --pid --ipc --net --uts)
publisher_user=
reader_user=
! spaces_are_permitted || run_all

if [ $ran = 0 ]; then
    echo "SKIP: no namespaces may be made here: $(tail -n 1 "$work/why")"
    exit 77
fi
echo "containers: $ran kinds, fine"
