#!/bin/sh
# The first process of the emulated machine: load what the kernel needs, run /job, say how it ended.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/sbin HOME=/root DM_DISABLE_UDEV=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
stty -F /dev/ttyS1 raw -echo
echo "@@up" >/dev/ttyS1
for module in /modules/*; do
  insmod "$module" 2>/dev/ttyS0 || echo "cannot load $module" >/dev/ttyS0
done
ip link set lo up
sh /job "$@" >/dev/ttyS1 2>&1 </dev/null
status=$?
# On a line of its own, and out of the port's buffer before the power goes.
printf '\n@@exit %d\n' $status >/dev/ttyS1

sleep 0.1
reboot -f
