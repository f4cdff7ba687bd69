#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# emulated.sh - put a script in a program's place that runs it by an emulator.
#
# Usage: cmake/emulated.sh PROGRAM EMULATOR [ARG ...]
# The program lies beside it, so that what it finds relative to itself is found; the emulator gets
# the script's path as argv[0] (-0), so that a program that starts itself again finds the script.
set -eu
program=$1
shift
folder=$(cd "$(dirname "$program")" && pwd)
name=$(basename "$program")
mv "$program" "$folder/.$name.elf"
{
    echo '#!/bin/sh'
    printf 'exec'
    printf " '%s'" "$@"
    printf ' -0 "$0" "%s" "$@"\n' "$folder/.$name.elf"
} >"$program"
chmod +x "$program"
