# SPDX-License-Identifier: Apache-2.0
# boot.sh - the rig itself: Debian's stock kernel comes up, the tools run there, and a simulated
# lidar's clouds reach another process whole, through memory and bus of this kernel, on two processors.
# vm-qemu: -smp 2
echo "kernel $(uname -r), up for $(cut -d' ' -f1 /proc/uptime) s"
sluice version
sluice doctor --quiet || fail "sluice doctor finds a problem on a stock kernel"

lidar --source sim --name lidar &
publisher=$!
monitor --topics /lidar/points --expect-frames 10 --within 90s
sluice topic list
end_publisher
[ -z "$(sluice topic list --json | grep lidar)" ] || fail "the topic outlives its publisher"
