# Everything a job could try to get out, or to be more than it is; prints what worked.
echo "host $(hostname)"
worked() { echo "worked: $*"; }
mount -t tmpfs none /tmp 2>/dev/null && worked mount
mount -o remount,rw / 2>/dev/null && worked remount
mount --bind /etc /tmp 2>/dev/null && worked bind
umount /tmp 2>/dev/null && worked umount
for kind in -U -m -n -p -i -u -C -Ur; do unshare $kind true 2>/dev/null && worked "unshare $kind"; done
for kind in -m -n -p -u; do nsenter -t 1 $kind true 2>/dev/null && worked "nsenter $kind"; done
chroot /tmp true 2>/dev/null && worked chroot
mknod /tmp/disk b 254 0 2>/dev/null && worked mknod
hostname other 2>/dev/null && worked hostname
date -s 2020-01-01 >/dev/null 2>&1 && worked date
dmesg >/dev/null 2>&1 && worked dmesg
chown root /tmp/x 2>/dev/null && worked chown
renice -n -5 $$ >/dev/null 2>&1 && worked renice
for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/hostname /proc/sys/vm/overcommit_memory \
  /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward /proc/1/oom_score_adj /proc/1/mem /proc/1/clear_refs \
  /proc/1/autogroup /proc/1/attr/current /proc/1/uid_map /proc/1/timerslack_ns /proc/1/loginuid /dev/mem /dev/kmsg; do
  (echo 1 >$file) 2>/dev/null && worked "write $file"
done
for file in $(find /sys /proc/sys ! -type l -writable 2>/dev/null); do worked "write $file"; done
mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null && worked "make a control group"
for file in /x /etc/x /usr/x /root/x /run/x /dev/x /nanogrid/x /nanogrid/bin/x /nanogrid/state/x /nanogrid/state/code/x \
  /nanogrid/state/payload.json /nanogrid/bin/nanogrid-supervisor; do
  (echo x >>$file) 2>/dev/null && worked "write $file"
done
rm -rf /nanogrid/state/code 2>/dev/null
ls /nanogrid/state/code | grep -q main || worked "remove the code"
mv /function /tmp/f 2>/dev/null && worked "move the working directory"
# A program that would make its caller somebody else.
cp /usr/bin/id /tmp/id && chmod 6755 /tmp/id && [ "$(/tmp/id -u)" = "$(id -u)" ] || worked "setuid copy"
perl -e '
my %calls = (ptrace_1 => [101, 16, 1, 0, 0], ptrace_seize_1 => [101, 0x4206, 1, 0, 0], bpf => [321, 0, "\0" x 128, 128],
  perf_event_open => [298, "\0" x 128, 0, -1, -1, 0], userfaultfd => [323, 0], io_uring_setup => [425, 1, "\0" x 128],
  add_key => [248, "user", "x", "y", 1, -3], keyctl => [250, 0, -3, 0, 0, 0], request_key => [249, "user", "x", 0, -3],
  setns => [308, 0, 0], unshare_user => [272, 0x10000000], clone_user => [56, 0x10000000 | 17, 0, 0, 0, 0],
  open_by_handle_at => [304, -100, "\0" x 16, 0], init_module => [175, 0, 0, ""], kexec_load => [246, 0, 0, 0, 0],
  reboot => [169, 0xfee1dead, 672274793, 0, 0], swapon => [167, "/tmp/x", 0], acct => [163, "/tmp/x"],
  quotactl => [179, 0, "", 0, 0], settimeofday => [164, "\0" x 16, 0], pivot_root => [155, ".", "."],
  mount => [165, "none", "/tmp", "tmpfs", 0, 0], fsopen => [430, "tmpfs", 0], move_mount => [429, -1, "", -1, "", 0],
  setuid_0 => [105, 0], setgid_0 => [106, 0], setgroups => [116, 1, pack("L", 0)], iopl => [172, 3], nice_1 => [141, 0, 1, 19],
  affinity_1 => [203, 1, 8, pack("Q", 1)], scheduler_1 => [144, 1, 5, pack("L", 0)], limits_1 => [302, 1, 7, pack("QQ", 1, 1), 0],
  ioprio_1 => [251, 1, 1, 3 << 13], vm_read_1 => [310, 1, "", 0, "", 0, 0], kill_1 => [62, 1, 0], ambient => [157, 47, 2, 7, 0, 0],
  keep_caps => [126, pack("LL", 0x20080522, 0), pack("L6", 0xe0, 0xe0, 0, 0, 0, 0)]);
for my $name (sort keys %calls) {
  my ($number, @arguments) = @{$calls{$name}};
  my $result = syscall($number, @arguments);
  exit 0 if $name eq "clone_user" && $result == 0;
  print "worked: $name\n" if $result >= 0;
}
' 2>&1
exit 0
