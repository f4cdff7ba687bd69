#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - every test of the project, in four builds; what `make test` and the CI call.
#
# Usage: tests/run.sh [PRESET ...]        (default: release asan tsan arm64)
#
# While one build is tested the next one is built, at the lowest priority; it stands still while those tests
# run that must be alone (sluice_test_alone).
#
# The style checks are ordinary tests of the release build. A test is skipped when it exits with 77
# (its last line then says "SKIP: reason"), or when cmocka says "[  SKIPPED ]" of one of its parts.
# A skip that tests/allowed_skips does not list is a failure.
#
# The last line is "N passed, N failed, N skipped"; the exit status is 0 only if none failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

presets=("$@")
[ ${#presets[@]} -gt 0 ] || presets=(release asan tsan arm64)
jobs=$((2 * $(nproc))) # most tests wait, for each other or for a time, most of the time
passed=0
failed=0
skipped=0
notes=()

if [ -z "${SLUICE_TEST_DATA:-}" ] && [ -d ../shared/data ]; then
    SLUICE_TEST_DATA=$(cd ../shared/data && pwd)
    export SLUICE_TEST_DATA
fi
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1:exitcode=66
# A crash of a killed child must not take seconds to be written to disk.
ulimit -S -c 0

finish() {
    local note
    echo
    for note in "${notes[@]+"${notes[@]}"}"; do
        echo "$note"
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

fail() { # a failure outside any test
    notes+=("failed: $1")
    failed=$((failed + 1))
}

is_allowed_skip() {
    awk -v name="$1" '!/^#/ && $1 == name { found = 1 } END { exit !found }' tests/allowed_skips
}

skip() { # name in which build, reason
    if is_allowed_skip "$1"; then
        skipped=$((skipped + 1))
        notes+=("skipped: $1 ($2): $3")
    else
        failed=$((failed + 1))
        notes+=("failed: $1 ($2) was skipped and tests/allowed_skips does not list it: $3")
    fi
}

# The sanitizers of gcc 12 place their shadow where a kernel with much address randomness
# (vm.mmap_rnd_bits above 28) puts libraries; without randomness they always work.
calm=()
if setarch -R true 2>/dev/null; then
    calm=(setarch -R)
fi

sanitizer_runs() { # compiler flag
    local folder answer=1
    folder=$(mktemp -d)
    echo 'int main(void) { return 0; }' >"$folder/probe.c"
    if gcc "$1" -o "$folder/probe" "$folder/probe.c" 2>/dev/null; then
        local try
        answer=0
        for try in 1 2 3 4 5; do
            "${calm[@]}" "$folder/probe" 2>/dev/null || answer=$try
        done
    fi
    rm -rf "$folder"
    return "$answer"
}

# JUnit in, a line a test out: status <TAB> name <TAB> reason. ctest writes one tag a line.
read_results() {
    awk '
    function plain(text) {
        gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text)
        gsub(/&apos;/, "\x27", text); gsub(/&amp;/, "\\&", text); gsub(/\t/, " ", text)
        return text
    }
    /<testcase / {
        match($0, / name="[^"]*"/); name = plain(substr($0, RSTART + 7, RLENGTH - 8))
        status = /status="run"/ ? "passed" : /status="fail"/ ? "failed" : "skipped"
        reason = /status="disabled"/ ? "disabled" : ""
        parts = 0
    }
    { line = $0; sub(/^.*<system-out>/, "", line) }
    line ~ /^SKIP: / { reason = plain(substr(line, 7)); sub(/<\/system-out>.*/, "", reason) }
    # "[  SKIPPED ] name": while it runs, and once more, listed, in the summary that ends it
    line ~ /^\[  SKIPPED \] [A-Za-z_0-9]+$/ && !((name, $NF) in seen) {
        seen[name, $NF] = 1
        part[++parts] = name ":" $NF "\t" (reason == "" ? "no reason given" : reason)
        reason = ""
    }
    /<\/testcase>/ {
        if (status == "skipped" && reason == "") reason = "no reason given"
        print status "\t" name "\t" reason
        for (i = 1; i <= parts; i++) print "skipped\t" part[i]
    }' "$1"
}

count_results() { # preset, JUnit file
    local status name reason
    while IFS=$'\t' read -r status name reason; do
        case $status in
        passed) passed=$((passed + 1)) ;;
        failed)
            failed=$((failed + 1))
            notes+=("failed: $name ($1)")
            ;;
        skipped) skip "$name" "$1" "$reason" ;;
        esac
    done < <(read_results "$2")
}

# Building ----------------------------------------------------------------------------------------

# Beside the first build: what its tests need and it does not, and the cross compiler. The status is arm64's.
fetch_packages() {
    if [[ " ${presets[*]} " == *" release "* ]]; then
        cmake/packages.sh vm || echo "== no machine can be emulated: the tests in one are skipped"
    fi
    [[ " ${presets[*]} " != *" arm64 "* ]] || cmake/packages.sh arm64
}

build_preset() { # what it says last, if it fails, is what failed
    local preset=$1 folder=build/$1
    if [ "$preset" = arm64 ] && ! wait "$fetched"; then
        echo "arm64: packages"
        return 1
    fi
    if ! cmake --preset "$preset" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log"
        echo "$preset: configure"
        return 1
    fi
    if ! cmake --build --preset "$preset" >"$folder/build.log" 2>&1; then
        grep -v '^\[' "$folder/build.log" | tail -n 60
        echo "$preset: build (all of it: $folder/build.log)"
        return 1
    fi
}

# A line for each preset that is done: its name, and the status.
build_all() {
    local preset status
    mkdir -p build
    fetch_packages >build/packages.log 2>&1 &
    fetched=$!
    for preset in "${presets[@]}"; do
        mkdir -p "build/$preset"
        status=0
        build_preset "$preset" >"build/$preset/said.log" 2>&1 || status=$?
        [ "$preset" != "${presets[0]}" ] || wait "$fetched"
        echo "$preset $status"
        renice -n 19 -p $BASHPID >/dev/null 2>&1 # from now on there is something to test
    done
}

# Testing -----------------------------------------------------------------------------------------

run_tests() { # preset, name of the results, arguments of ctest
    local folder=build/$1 junit=$PWD/build/$1/$2.xml
    rm -f "$junit"
    "${calm[@]}" ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error \
        --output-junit "$junit" "${@:3}" \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 2>&1 |
        tee "$folder/$2.log" | grep -v -e '^ *Start ' -e '^Internal ctest' -e '^Test project'
    if [ -s "$junit" ]; then
        count_results "$1" "$junit"
    else
        fail "$1: ctest did not finish"
    fi
}

run_preset() { # once it is built
    local preset=$1 folder=build/$1 built status
    echo "== $preset: configure and build in $folder"
    renice -n "$(nice)" -g "$builder" >/dev/null 2>&1 # it is waited for; only root may do that
    if ! read -r built status <&"$answers" || [ "$built" != "$preset" ]; then
        fail "$preset: the build ended without a word"
        return
    fi
    [ "$preset" != "${presets[0]}" ] || cat build/packages.log
    if [ "$status" != 0 ]; then
        sed '$d' "$folder/said.log"
        fail "$(tail -n 1 "$folder/said.log")"
        return
    fi
    if [ "$preset" = tsan ] && ! sanitizer_runs -fsanitize=thread; then
        skip tsan "$preset" "its runtime does not start here: address randomness cannot be turned off"
        return
    fi
    echo "== $preset: test, $SECONDS s after the start"
    run_tests "$preset" ctest -LE '^alone$'
    kill -STOP -- "-$builder" 2>/dev/null
    run_tests "$preset" ctest_alone -L '^alone$'
    kill -CONT -- "-$builder" 2>/dev/null
}

cmake/packages.sh test || {
    fail "packages"
    finish
}
set -m # the builder and all that it starts are one group
coproc build_all
builder=$COPROC_PID
exec {answers}<&"${COPROC[0]}"
set +m
trap 'kill -KILL -- "-$builder" 2>/dev/null' EXIT
for preset in "${presets[@]}"; do
    run_preset "$preset"
done
finish
