#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - each fuzz target for some seconds, beginning with its committed seeds.
#
# Usage: tests/fuzz/run.sh [SECONDS] [NAME ...]
# Inputs that reach new code are kept in build/fuzz/corpus/NAME, the one that broke something in
# build/fuzz/crash-NAME-*; executions are printed for each target.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
names=("$@")

mkdir -p build/fuzz
echo "fuzz: configure and build in build/fuzz"
cmake --preset fuzz >build/fuzz/configure.log 2>&1 || { cat build/fuzz/configure.log; exit 1; }
# Only the fuzz programs: they have no use for the rest.
programs=$(cmake --build --preset fuzz --target help | sed -n 's/^\(fuzz_[a-z0-9_]*\): phony.*/\1/p')
# shellcheck disable=SC2086 # words are meant to be split
cmake --build --preset fuzz --target $programs >build/fuzz/build.log 2>&1 ||
    { tail -n 60 build/fuzz/build.log; exit 1; }
if [ ${#names[@]} -eq 0 ]; then
    # shellcheck disable=SC2206
    names=(${programs//fuzz_/})
fi

failed=0
for name in "${names[@]}"; do
    corpus=build/fuzz/corpus/$name
    log=build/fuzz/$name.log
    mkdir -p "$corpus"
    if build/fuzz/tests/fuzz/fuzz_"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/crash-$name-" \
        "$corpus" "tests/fuzz/seeds/$name" >"$log" 2>&1; then
        echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, nothing found"
    else
        echo "fuzz: $name FAILED; the end of $log:"
        tail -n 30 "$log"
        failed=1
    fi
done
exit $failed
