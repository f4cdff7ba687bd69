#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - the protocol's models: each must hold, and each of their mutations must fail.
#
# Usage: tests/models/run.sh [--full] [MODEL ...]
#
# A mutation takes one fence, look, compare or order out; one that does not fail would mean that the
# model cannot see it, or that the code does not need it. Everything is done with the store buffers of
# x86 (TSO) and with those of arm64 (PSO), except what order does not enter into (SC).
# --full adds parameters with tens of millions of states (up to 6 GB a run, minutes each).
# The last line is the verdict. Exit 77: spin is not installed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# model | memory | expected | flags.  memory: TSO, PSO, both, SC.
rows='
take   | both | holds | -DS=2 -DN=4
take   | both | holds | -DS=3 -DN=5
take   | both | holds | -DS=2 -DN=5 -DR=4
take   | both | holds | -DS=4 -DN=5 -DAHEAD=2
take   | both | holds | -DS=3 -DN=4 -DTHREADS
take   | both | holds | -DS=2 -DN=4 -DCRASH
take   | both | holds | -DS=2 -DN=3 -DREADERS=2
take   | both | fails | -DS=3 -DN=5 -DNO_T2
take   | both | fails | -DS=3 -DN=5 -DNO_T3
take   | both | fails | -DS=3 -DN=5 -DNO_T1_ACQUIRE
take   | both | fails | -DS=3 -DN=5 -DNO_R2
take   | both | fails | -DS=3 -DN=5 -DR2_IF_CLEARED
take   | both | fails | -DS=3 -DN=5 -DNO_R1_COMPARE
take   | both | fails | -DS=3 -DN=5 -DNO_R1
take   | both | fails | -DS=3 -DN=5 -DNO_LOOK
take   | both | fails | -DS=3 -DN=5 -DNO_P1
take   | PSO  | fails | -DS=3 -DN=5 -DNO_P2
take   | PSO  | fails | -DS=3 -DN=5 -DNO_P4_RELEASE
take   | both | fails | -DS=3 -DN=5 -DNO_RELEASE
take   | both | fails | -DS=3 -DN=5 -DNO_R3_ACQUIRE
take   | both | fails | -DS=1 -DN=4 -DFALSE_DEATH
shared | both | holds |
shared | both | fails | -DNO_OWN_LOOK
shared | both | fails | -DPLAIN_COUNT
shared | both | fails | -DPRIVATE_ALWAYS
shared | both | fails | -DNO_SLOT_STATE
shared | both | holds | -DS=1
shared | both | fails | -DS=1 -DNO_GENERATION
shared | both | fails | -DSTATE_LATE
shared | both | fails | -DLOOK_AGAIN
shared | both | fails | -DNO_T2
shared | both | fails | -DNO_R2
lease  | both | holds |
lease  | both | holds | -DCACHED
lease  | both | fails | -DNO_E1
lease  | both | fails | -DNO_E2
lease  | PSO  | fails | -DNO_E2 -DCACHED
lease  | both | fails | -DE2_RELEASE
lease  | both | fails | -DNO_F2
lease  | both | fails | -DNO_F3
lease  | both | fails | -DPLAIN_HOLDS
lease  | both | fails | -DNOTE_EARLY
lease  | both | fails | -DNOT_RETIRED
wake   | both | holds |
wake   | both | holds | -DMODE_FIRST
wake   | both | holds | -DN=5 -DBATCH=2
wake   | both | holds | -DN=5 -DBATCH=3
wake   | both | fails | -DN=5 -DBATCH=2 -DNO_S2
wake   | both | fails | -DN=5 -DBATCH=2 -DNO_LOOK
wake   | both | fails | -DN=5 -DBATCH=2 -DNO_W2
wake   | both | fails | -DN=5 -DBATCH=3 -DNO_S2
wake   | both | fails | -DN=5 -DBATCH=3 -DNO_W2
wake   | both | fails | -DNO_S2
wake   | both | fails | -DNO_LOOK
wake   | both | fails | -DNO_W2
wake   | both | fails | -DVALUE_LATE
wake   | both | fails | -DDRAIN_LATE
wake   | both | holds | -DRELAY -DN=3
wake   | both | holds | -DRELAY -DN=3 -DBATCH=2
wake   | both | fails | -DRELAY -DNO_S2
wake   | both | fails | -DRELAY -DNO_LOOK
wake   | both | fails | -DRELAY -DNO_W2
wake   | both | fails | -DRELAY -DHEAD_LATE
wake   | both | fails | -DRELAY -DDUE_LATE
wake   | both | fails | -DRELAY -DRING_IF_ASLEEP
wake   | both | fails | -DRELAY -DOWN_CROSSING
order  | SC   | holds |
order  | SC   | fails | -DZERO
quota  | SC   | holds |
quota  | SC   | fails | -DONE_PASS
quota  | SC   | fails | -DNO_ACQUIRE
detach | SC   | holds |
detach | SC   | holds | -DOWN=2 -DOTHERS=3
detach | SC   | fails | -DSPLIT
detach | SC   | fails | -DCOUNT_FIRST
detach | SC   | fails | -DOWNER_KEPT
detach | SC   | fails | -DFOREIGN_DETACH
inline | both | holds |
inline | both | fails | -DNO_T1_ACQUIRE
inline | both | fails | -DNO_T3
inline | both | fails | -DNO_T3_ACQUIRE
inline | both | fails | -DNO_P1
inline | PSO  | fails | -DNO_P2
inline | PSO  | fails | -DNO_P4_RELEASE
reclaim | both | holds |
reclaim | both | fails | -DNO_BEGIN_FENCE
reclaim | both | fails | -DLIST_KEPT
reclaim | both | fails | -DEND_EARLY
reclaim | PSO  | fails | -DNO_SWAP_FENCE
reclaim | both | fails | -DNO_WAIT
lossless | both | holds | -DN=4
lossless | both | holds | -DN=4 -DNO_REREAD
lossless | both | holds | -DN=4 -DS=2 -DR=4
lossless | both | holds | -DN=4 -DS=2 -DR=3 -DH=1
lossless | both | holds | -DN=4 -DINLINES -DLOANS=3
lossless | both | holds | -DN=4 -DLOOSE -DINLINES
lossless | both | fails | -DN=4 -DNO_COUNT_FENCE
lossless | both | fails | -DN=4 -DHEAD_LATE
lossless | both | fails | -DN=4 -DUNBOUND
lossless | both | fails | -DN=4 -DLOANS=3 -DNO_LIMIT
lossless | both | fails | -DN=4 -DINLINES -DNO_COUNT_FENCE
lossless | both | fails | -DINLINES -DLOANS=3 -DNO_LIMIT
lossless | both | fails | -DINLINES -DNO_PROMISED
lossless | both | fails | -DINLINES -DOFF_BY_ONE
lossless | both | fails | -DLOOSE -DINLINES -DNO_FENCE
lossless | both | fails | -DNO_PROMISED
lossless | both | fails | -DOFF_BY_ONE
lossless | both | fails | -DS=2 -DR=4 -DNO_FLOOR
lossless | both | fails | -DS=2 -DR=4 -DCURSOR_FIRST
lossless | both | fails | -DCURSOR_FIRST
lossless | both | holds | -DLOOSE
lossless | both | holds | -DLOOSE -DS=2 -DR=4
lossless | both | holds | -DLOOSE -DS=2 -DR=3 -DH=1
lossless | both | fails | -DLOOSE -DNO_ATTACH_FENCE
lossless | both | fails | -DLOOSE -DNO_REREAD
lossless | both | fails | -DLOOSE -DNO_FENCE
lossless | both | fails | -DLOOSE -DS=2 -DR=4 -DNO_FENCE
lossless | both | fails | -DLOOSE -DNO_PROMISED
lossless | both | fails | -DLOOSE -DOFF_BY_ONE
lossless | both | fails | -DLOOSE -DS=2 -DR=4 -DNO_FLOOR
lossless | both | fails | -DLOOSE -DCURSOR_FIRST
lossless | both | fails | -DLOOSE -DCURSOR_ZERO
'
full_rows='
take   | both | holds | -DS=3 -DN=6
take   | both | holds | -DS=3 -DN=5 -DTHREADS
take   | both | holds | -DS=3 -DN=4 -DREADERS=2
shared | both | holds | -DN=5
wake   | both | holds | -DRELAY -DN=4 -DBATCH=2
'

# One search, in its own folder: model, memory, expected, flags -> a line of the table.
run_one() {
    local model=$1 memory=$2 expected=$3 flags=$4 found verdict states
    local folder=$work/$BASHPID optimise=-O0 # most are compiled for longer than they run
    case "$expected $flags" in
    "holds "*-D[CRTI][REHN]*) optimise=-O1 ;; # CRASH, READERS, RELAY, THREADS, INLINES: many states
    esac
    mkdir "$folder" && cd "$folder" || return
    local -a define
    read -ra define <<<"$flags"
    [ "$memory" = PSO ] && define+=(-DPSO)
    if ! spin -a "${define[@]+"${define[@]}"}" "$here/$model.pml" >log 2>&1 ||
        ! gcc $optimise -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM="$megabytes" -o pan pan.c >>log 2>&1 ||
        ! ./pan -m2000000 >>log 2>&1; then
        found="does not run"
    elif grep -q -e 'max search depth too small' -e 'memory limit' -e 'out of memory' log; then
        found="too large"
    elif grep -q 'errors: 0$' log; then
        found=holds
    elif grep -q -e 'assertion violated' -e 'invalid end state' log; then
        found=fails
    else
        found="says nothing"
    fi
    verdict=fine
    [ "$found" = "$expected" ] || verdict=WRONG
    states=$(awk '/states, stored/ { print $1; exit }' log)
    printf '%-8s %-4s %-40s %12s states  %-6s %s\n' "$model" "$memory" "$flags" "${states:--}" "$found" "$verdict"
    [ $verdict = fine ] || tail -n 20 log >"$work/wrong.$BASHPID"
    cd "$work" && rm -rf "$folder"
}

full=0
wanted=()
for argument in "$@"; do
    case $argument in
    --full) full=1 ;;
    -*)
        sed -n 's/^# //p' "$0" | sed -n 3p
        exit 2
        ;;
    *) wanted+=("$argument") ;;
    esac
done
if ! command -v spin >/dev/null; then
    echo "SKIP: spin not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
megabytes=900
if [ $full = 1 ]; then
    rows+=$full_rows
    megabytes=6000
fi

while IFS='|' read -r model memory expected flags; do
    model=${model// /} memory=${memory// /} expected=${expected// /}
    [ -n "$model" ] || continue
    if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $model "* ]]; then
        continue
    fi
    [ "$memory" = both ] && memory="TSO PSO"
    for one in $memory; do
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
            wait -n
        done
        run_one "$model" "$one" "$expected" "${flags# }" | tee -a "$work/table" &
    done
done <<<"$rows"
wait

runs=$(wc -l <"$work/table")
wrong=$(grep -c ' WRONG$' "$work/table")
cat "$work"/wrong.* 2>/dev/null
echo "models: $runs searches, $wrong wrong"
[ "$runs" -gt 0 ] && [ "$wrong" -eq 0 ]
