#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_includes.sh - the include arrows of ARCHITECTURE.md, and one file for each library.
#
# Usage: tests/style/check_includes.sh ROOT
set -euo pipefail
source "$(dirname "$0")/files.sh"
root=$1

files_of "$root" | grep -E '\.(c|h|cc|cpp|hpp)$' | (cd "$root" && xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null || true) |
    awk -v root="$root" '
    BEGIN {
        # who may include whom, besides itself
        may["core/uncached"] = may["core/frame"] = may["core/capture"] = "core/base"
        may["core/shm"] = may["core/uncached"] " core/uncached core/frame core/capture"
        may["core/node"] = may["core/shm"] " core/shm"
        all_core = may["core/node"] " core/node"
        # the headers of a library, and where they may appear even so
        library["fyaml"] = "^libfyaml"
        library["pcap"] = "^pcap([/.]|$)"
        library["xdp"] = "^xdp/"
        library["bpf"] = "^bpf/"
        library["png"] = "^(lib)?png"
        library["cmocka"] = "^cmocka"
        library["iceoryx"] = "^iceoryx"
        library["curl"] = "^curl/"
        library["sqlite"] = "^sqlite3"
        library["lz4"] = "^lz4"
        library["zstd"] = "^zstd"
        library["bz2"] = "^bzlib"
        library["cuda"] = "^cuda"
        library["vulkan"] = "^vulkan"
        library["dds"] = "^(dds/([^/]*$|ddsrt/|ddsc/)|(fastdds|fastrtps)/)"
        library["ddsi"] = "^dds/ddsi/"
        library["camera"] = "^libcamera"
    }
    function room(path,    part, n) {
        n = split(path, part, "/")
        if (n > 2 && (part[1] == "core" || part[1] == "drivers" || part[1] == "nodes"))
            return part[1] "/" part[2]
        if (path ~ /^tests\/bench\//)
            return "tests/bench"
        return part[1]
    }
    function is_allowed(from, to,    list, i, n) {
        if (from == to || from ~ /^tests/)
            return 1
        if (from in may)
            n = split(may[from], list, " ")
        else if (from ~ /^core\//)
            n = 0
        else
            n = split(all_core, list, " ")
        for (i = 1; i <= n; i++)
            if (list[i] == to)
                return 1
        # a tool may simulate a sensor or time a decoder; nodes and drivers stay apart
        return from == "tools" && (to ~ /^drivers\// || to == "launch" || to == "rosbag_compat" ||
                                   to == "tests/bench")
    }
    function bad(place, text) { print place ": " text; errors++ }
    {
        match($0, /^[^:]*:[0-9]+:/)
        place = substr($0, 1, RLENGTH - 1)
        file = place; sub(/:[0-9]+$/, "", file)
        text = substr($0, RLENGTH + 1)
    }
    text ~ /include[ \t]*"/ {
        target = text; sub(/^[^"]*"/, "", target); sub(/".*/, "", target)
        if (target !~ /\//) {
            bad(place, "\"" target "\" is not written from the root of the tree")
        } else if (system("test -f \"" root "/" target "\"") != 0) {
            bad(place, "\"" target "\" does not exist")
        } else if (!is_allowed(room(file), room(target))) {
            bad(place, room(file) " must not include " room(target) " (" target ")")
        }
    }
    text ~ /include[ \t]*</ {
        target = text; sub(/^[^<]*</, "", target); sub(/>.*/, "", target)
        for (name in library) {
            if (target !~ library[name])
                continue
            if (name == "cmocka") {
                if (file !~ /^tests\//) bad(place, "<" target "> belongs to tests only")
            } else if (file !~ /^tests\//) {
                if (name in user && user[name] != file)
                    bad(place, "<" target "> is included by " user[name] " already; go through its header")
                user[name] = file
                if (file ~ /\.(h|hpp)$/) bad(place, "<" target "> in a header: hide it behind one of ours")
            }
        }
    }
    END { if (errors) print errors " include(s) against the arrows"; exit errors > 0 }'
echo "includes: fine"
