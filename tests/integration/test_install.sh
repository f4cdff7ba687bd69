#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_install.sh - what was installed into an empty prefix serves a program that knows nothing else,
# found through pkg-config and through find_package, also after the tree was moved.
set -euo pipefail
source_dir=$SLUICE_SOURCE/tests/integration/install
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "$*" >&2
    exit 1
}

cmake --install "$SLUICE_BUILD" --prefix "$work/first" >"$work/install.log" ||
    { cat "$work/install.log"; fail "cmake --install failed"; }
mv "$work/first" "$work/prefix"
prefix=$work/prefix
libdir=$(dirname "$(find "$prefix" -name libsluice.so)")

# Exactly what the header marks public is shown, and nothing of the machine that built it.
nm -D --defined-only "$libdir/libsluice.so" | awk '{ print $NF }' | grep -v '^_' | sort >"$work/shown"
grep -hoE '\bsl_[a-z_]+\(' <(grep SL_PUBLIC "$prefix/include/sluice.h") | tr -d '(' | sort -u >"$work/public"
diff "$work/public" "$work/shown" || fail "libsluice.so shows other symbols (>) than sluice.h promises (<)"
readelf -d "$libdir/libsluice.so" | grep -q 'SONAME.*\[libsluice\.so\.0\.1\]' || fail "the soname is wrong"
if grep -rl -e "$SLUICE_SOURCE" -e "$SLUICE_BUILD" -e "$work/first" "$prefix"; then
    fail "these files name a folder of this machine"
fi

export XDG_RUNTIME_DIR=$work/run SLUICE_DOMAIN=install-test-$$
mkdir -m 700 "$XDG_RUNTIME_DIR"

export PKG_CONFIG_PATH=$libdir/pkgconfig
[ "$(pkg-config --modversion sluice)" = "$(sed -n 's/.*VERSION "\(.*\)".*/\1/p' "$libdir/cmake/sluice/sluiceConfigVersion.cmake" | head -n 1)" ] ||
    fail "pkg-config and CMake tell different versions"
# shellcheck disable=SC2046 # words are meant to be split
cc -std=c11 -Wall -Wextra -Werror "$source_dir/main.c" -o "$work/by_pkg_config" $(pkg-config --cflags --libs sluice)
LD_LIBRARY_PATH=$libdir "$work/by_pkg_config" || fail "the program built by pkg-config fails"

cmake -S "$source_dir" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log" 2>&1 ||
    { cat "$work/configure.log"; fail "find_package failed"; }
cmake --build "$work/build" >"$work/build.log" 2>&1 || { cat "$work/build.log"; fail "the build failed"; }
"$work/build/outside" || fail "the program built by find_package fails"

if command -v c++ >/dev/null; then
    echo '#include <sluice.h>' | c++ -x c++ -std=c++17 -Wall -Werror -I"$prefix/include" -c -o /dev/null - ||
        fail "sluice.h is no C++"
fi

for program in "$prefix"/libexec/sluice/* "$prefix"/bin/*; do
    [[ ! -f $program || $program == *.so ]] || "$program" --help >/dev/null || fail "$program --help fails"
done
echo "installed, moved, found and used"
