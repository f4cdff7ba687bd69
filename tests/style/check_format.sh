#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_format.sh - every C file looks as clang-format writes it (`make format`).
#
# Usage: tests/style/check_format.sh ROOT
set -euo pipefail
source "$(dirname "$0")/files.sh"
root=$1

if ! command -v clang-format >/dev/null; then
    echo "SKIP: clang-format is not installed"
    exit 77
fi
cd "$root"
# --fallback-style=none: a .clang-format that is gone must not pass for LLVM's style
if ! words=$(files_of . | grep -E '\.(c|h)$' |
    xargs -r clang-format --style=file --fallback-style=none --dry-run -Werror 2>&1); then
    grep 'error: ' <<<"$words" | awk -F: '!seen[$1]++' # the first place in each file
    echo "these files are not as clang-format writes them: make format"
    exit 1
fi
echo "format: fine"
