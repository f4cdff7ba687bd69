# SPDX-License-Identifier: Apache-2.0
# files.sh - sourced by the style checks: the files of the project below a folder.

# files_of ROOT: relative names, one a line, without what git ignores or what is built.
files_of() {
    (
        cd "$1" || exit 1
        # safe.directory: the tree may belong to another user, as in a container
        if [ -e .git ] && git -c safe.directory='*' ls-files -co --exclude-standard 2>/dev/null; then
            exit 0
        fi
        find . -name build -prune -o -name .git -prune -o -type f -print | sed 's|^\./||'
    ) | sort -u | while read -r name; do
        [ -f "$1/$name" ] && echo "$name" # not those that were deleted but are still tracked
    done
}
