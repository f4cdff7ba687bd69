#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_paths.sh - no file knows the machine or the home folder it was written on.
#
# Usage: tests/style/check_paths.sh ROOT
set -euo pipefail
source "$(dirname "$0")/files.sh"
root=$1

if files_of "$root" | (cd "$root" && xargs -r -d '\n' grep -nIE '(^|[^A-Za-z0-9_.})/-])/(work|home|Users)/[A-Za-z0-9_]' /dev/null); then
    echo "paths of a machine (above): name them relative to the tree, or by a variable"
    exit 1
fi
echo "paths: fine"
