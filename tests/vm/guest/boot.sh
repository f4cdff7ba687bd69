# SPDX-License-Identifier: Apache-2.0
# boot.sh - the rig itself: Debian's stock kernel comes up, the tools run there, and a simulated
# lidar's clouds reach another process whole, through memory and bus of this kernel.
echo "kernel $(uname -r), up for $(cut -d' ' -f1 /proc/uptime) s"
sluice version
sluice doctor --quiet || fail "sluice doctor finds a problem on a stock kernel"

lidar --source sim --name lidar &
lidar=$!
monitor --topics /lidar/points --expect-frames 10 --within 60s
sluice topic list
kill $lidar
wait $lidar || fail "lidar ended with $?"
[ -z "$(sluice topic list --json | grep lidar)" ] || fail "the topic outlives its publisher"
