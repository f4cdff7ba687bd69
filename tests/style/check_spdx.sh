#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_spdx.sh - every source, script and CMake file names its licence in its first two lines.
#
# Usage: tests/style/check_spdx.sh ROOT
set -euo pipefail
source "$(dirname "$0")/files.sh"
root=$1
errors=0

while read -r name; do
    case $name in
    LICENSE | *.md | *.json | *.png | *.svg | .gitignore | .editorconfig | .clang-format) continue ;;
    packaging/copyright | packaging/changelog) continue ;; # Debian's formats have no comments
    tests/fuzz/seeds/* | tests/*/data/*) continue ;; # bytes, not text
    esac
    # -a: grep must not give up on a file with bytes beyond text
    if ! head -n 2 "$root/$name" | grep -aq 'SPDX-License-Identifier: Apache-2.0'; then
        echo "$name:1: no line 'SPDX-License-Identifier: Apache-2.0' among the first two"
        errors=$((errors + 1))
    fi
done < <(files_of "$root")
[ $errors -eq 0 ] || exit 1
echo "licence lines: fine"
