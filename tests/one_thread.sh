#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# one_thread.sh - programs that are said to have one thread (SLUICE_ONE_THREAD) can start no other, nor programs of ours.
#
# Usage: tests/one_thread.sh PROGRAM ...
set -euo pipefail
wrong=0
for program in "$@"; do
    if nm -D --undefined-only "$program" | grep -Eq ' (pthread_create|thrd_create)(@|$)'; then
        echo "$program starts threads: it is declared where SLUICE_ONE_THREAD is set, so that ThreadSanitizer does not see it"
        wrong=$((wrong + 1))
    fi
done
echo "$# programs, $wrong with threads"
[ $# -gt 0 ] && [ $wrong = 0 ]
