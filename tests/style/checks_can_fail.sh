#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# checks_can_fail.sh - each style check accepts a good tree, and refuses it once one thing is wrong.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
errors=0
licence='/* SPDX-License-Identifier: Apache-2.0 */'

fresh_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/core/{base,frame,shm} "$tree"/{drivers,nodes}/{one,two} "$tree"/tools
    cp "$here/../../.clang-format" "$tree/"
    for header in core/base/b core/frame/f core/shm/s nodes/one/n nodes/two/n drivers/one/d; do
        echo "$licence" >"$tree/$header.h"
    done
    printf '%s\n#include "nodes/one/n.h"\n\n#include "core/shm/s.h"\n\n#include <libfyaml.h>\n' \
        "$licence" >"$tree/nodes/one/n.c"
}

expect() { # check, status, words that its output must have
    local output status=0
    output=$("$here/$1" "$tree" 2>&1) || status=$?
    if { [ "$2" = fine ] && [ $status -ne 0 ]; } || { [ "$2" = refused ] && [ $status -ne 1 ]; } ||
        [[ "$output" != *"$3"* ]]; then
        echo "$1 was expected to be $2 and to say '$3'; it ended with $status and said:"
        echo "$output"
        errors=$((errors + 1))
    fi
}

refused_include() { # file, the line put into it, words
    fresh_tree
    printf '%s\n%s\n' "$licence" "$2" >"$tree/$1"
    expect check_includes.sh refused "$3"
}

fresh_tree
expect check_includes.sh fine fine
expect check_spdx.sh fine fine
expect check_paths.sh fine fine

fresh_tree
mkdir -p "$tree/docs"
cp "$here"/../../docs/*pollution* "$tree/docs/"
expect check_plot.sh fine fine
sed -i 's/"write_stream_slowdown_ratio": [0-9.]*/"write_stream_slowdown_ratio": 4.25/' "$tree/docs/pollution.json"
expect check_plot.sh refused 'docs/pollution.svg is not'

refused_include core/base/x.c '#include "core/frame/f.h"' 'core/base must not include core/frame'
refused_include core/frame/x.c '#include "core/shm/s.h"' 'core/frame must not include core/shm'
refused_include core/shm/x.c '#include "drivers/one/d.h"' 'core/shm must not include drivers/one'
refused_include nodes/two/x.c '#include "nodes/one/n.h"' 'nodes/two must not include nodes/one'
refused_include drivers/one/x.c '#include "nodes/one/n.h"' 'drivers/one must not include nodes/one'
refused_include drivers/two/x.c '#include "drivers/one/d.h"' 'drivers/two must not include drivers/one'
refused_include core/base/x.c '#include "b.h"' 'not written from the root'
refused_include core/base/x.c '#include "core/base/gone.h"' 'does not exist'
refused_include tools/x.c '#include <libfyaml.h>' 'included by nodes/one/n.c already'
refused_include tools/x.c '#include <cmocka.h>' 'tests only'
refused_include tools/x.h '#include <png.h>' 'in a header'

fresh_tree
echo 'int x;' >"$tree/core/base/x.c"
expect check_spdx.sh refused 'core/base/x.c:1:'

fresh_tree
printf '%s\n/* see /%s/me/notes */\n' "$licence" home >"$tree/core/base/x.c"
expect check_paths.sh refused 'core/base/x.c:2:'

if command -v clang-format >/dev/null; then
    fresh_tree
    expect check_format.sh fine fine
    printf '%s\nint  x ;\n' "$licence" >"$tree/core/base/x.c"
    expect check_format.sh refused 'core/base/x.c:2'
fi

[ $errors -eq 0 ] || exit 1
echo "every check can fail"
