#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_package.sh - the Debian packages: made, looked into, installed into an empty system of their
# own (maintainer scripts included), used from there, removed again; and the service's unit and the
# places below /run, as systemd's own tools read them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "$*" >&2
    exit 1
}

(cd "$SLUICE_BUILD" && cpack -B "$work/packages") >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; fail "cpack failed"; }
arch=$(dpkg --print-architecture)
version=$("$SLUICE_BUILD/bin/sluice" version | sed 's/^sluice \([^,]*\),.*/\1/')
main=$work/packages/sluice_${version}_$arch.deb
dev=$work/packages/libsluice-dev_${version}_$arch.deb
[ -f "$main" ] && [ -f "$dev" ] || fail "not the packages that were wanted: $(ls "$work/packages")"

# What is in which, and nothing that was built for the tests.
holds() { # package, path
    dpkg -c "$1" | awk '{ print $6 }' | grep -qx "\./$2" || fail "$(basename "$1") has no $2"
}
for path in usr/bin/sluice usr/libexec/sluice/lidar 'usr/lib/libsluice\.so\.[0-9.]*' \
    usr/share/man/man1/sluice-launch.1.gz usr/share/bash-completion/completions/sluice \
    usr/share/sluice/launch/vlp16.yaml usr/share/doc/sluice/copyright \
    usr/lib/systemd/system/sluice@.service usr/lib/tmpfiles.d/sluice.conf usr/lib/sysusers.d/sluice.conf; do
    holds "$main" "$path"
done
if [ -f "$SLUICE_BUILD/libexec/sluice/libsluice_roudi.so" ]; then # with iceoryx
    holds "$main" usr/libexec/sluice/libsluice_roudi.so
fi
for path in usr/include/sluice.h usr/lib/libsluice.so usr/lib/pkgconfig/sluice.pc \
    usr/lib/cmake/sluice/sluiceConfig.cmake usr/share/doc/libsluice-dev/copyright; do
    holds "$dev" "$path"
done
! dpkg -c "$main" | grep -E 'usr/(include|lib/pkgconfig)|template_' || fail "sluice has what is libsluice-dev's"
! dpkg -c "$main" | grep -E '/(test_|fuzz_|template_driver$)' || fail "a test's program is in the package"
[[ $(dpkg -f "$main" Depends) == *libc6*libfyaml0* ]] || fail "sluice depends on: $(dpkg -f "$main" Depends)"
[ "$(dpkg -f "$dev" Depends)" = "sluice (= $version)" ] || fail "libsluice-dev depends on: $(dpkg -f "$dev" Depends)"

# Installed. Without a chroot the scripts get DPKG_ROOT.
root=$work/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/etc" "$root/run"
: >"$root/var/lib/dpkg/status"
debian() {
    dpkg --root="$root" --force-not-root --force-script-chrootless --force-depends --log=/dev/null "$@" \
        >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg $1 failed"; }
}
debian -i "$main" "$dev"

unset SLUICE_LIBEXEC SLUICE_DOMAIN
export SLUICE_ROOT=$work/domains
mkdir -m 700 "$SLUICE_ROOT"
cd "$work"
sluice=$root/usr/bin/sluice
"$sluice" version | grep -q "^sluice $version," || fail "sluice version: $("$sluice" version)"
"$sluice" sim lidar --capture "$work/sim.pcap" --duration 1s >/dev/null
"$sluice" launch --check "$root/usr/share/sluice/launch/vlp16.yaml" >said 2>&1 || { cat said; fail "launch --check failed"; }
"$sluice" launch "$root/usr/share/sluice/launch/vlp16_capture.yaml" capture="$work/sim.pcap" rate=4 >said 2>&1 ||
    { cat said; fail "a small launch failed"; }
grep -Eq '^  /lidar/points: (9|10|11) frames' said || { cat said; fail "a small launch: not its frames"; }
# shellcheck disable=SC2046 # words are meant to be split
cc "$SLUICE_SOURCE/tests/integration/install/main.c" -o outside \
    $(PKG_CONFIG_PATH=$root/usr/lib/pkgconfig pkg-config --cflags --libs sluice)
LD_LIBRARY_PATH=$root/usr/lib ./outside || fail "a program built with libsluice-dev fails"

# The user and the places that the maintainer script made.
if command -v systemd-sysusers >/dev/null && command -v systemd-tmpfiles >/dev/null; then
    gid=$(awk -F: '$1 == "sluice" { print $3 }' "$root/etc/group")
    [ -n "$gid" ] || fail "no group sluice was made"
    is() { # path, mode, what that is for
        [ "$(stat -c '%a %u %g' "$root/$1")" = "$2 0 $gid" ] || fail "/$1 is $(stat -c '%a %u %g' "$root/$1"), not $2 0 $gid"
    }
    if [ "$(id -u)" = 0 ]; then
        is run/sluice 3770
        is run/sluice/default 2770
        # and they are what a domain may be: root's, used by a member of the group
        export SLUICE_ROOT=$root/run/sluice
        chmod 755 "$work" # of mktemp: the way there
        chmod 666 "$work/sim.pcap"
        setpriv --reuid=4242 --regid=4242 --groups="$gid" "$sluice" launch \
            "$root/usr/share/sluice/launch/vlp16_capture.yaml" capture="$work/sim.pcap" rate=4 >said 2>&1 ||
            { cat said; fail "a launch by a member of the group failed"; }
        ! setpriv --reuid=4242 --regid=4242 --clear-groups "$sluice" topic list >said 2>&1 ||
            fail "a stranger may look into the domain"
        grep -q 'Permission denied' said || { cat said; fail "a stranger is not told why"; }
        [ -z "$(find "$SLUICE_ROOT" -type s)" ] || fail "left: $(find "$SLUICE_ROOT" -type s)"
    fi
fi

# The unit, as systemd reads it: a copy that needs no user, binary or file of this machine's root.
if command -v systemd-analyze >/dev/null; then
    mkdir "$work/units"
    sed -e "s|^ExecStart=sluice |ExecStart=$sluice |" "$root/usr/lib/systemd/system/sluice@.service" \
        >"$work/units/sluice@.service"
    cp "$work/units/sluice@.service" "$work/units/sluice@front.service"
    systemd-analyze verify --man=no "$work/units/sluice@front.service" >said 2>&1 || { cat said; fail "systemd-analyze verify"; }
    [ ! -s said ] || { cat said; fail "systemd-analyze verify has words for it"; }
fi

debian -r libsluice-dev sluice
left=$([ ! -e "$root/usr" ] || find "$root/usr" ! -type d)
[ -z "$left" ] || fail "removing it leaves: $left"
echo "packages: made, installed, used, removed"
