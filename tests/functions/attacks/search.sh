# Prints everything around a job in which something of the host or the worker could stand.
env
cat /proc/*/environ /proc/*/cmdline /proc/self/mountinfo /proc/self/cgroup /proc/self/maps /proc/net/unix 2>/dev/null | tr '\0' '\n'
cat /etc/hostname /etc/hosts /etc/resolv.conf /proc/sys/kernel/hostname 2>/dev/null
for p in /proc/[0-9]*; do ls -l $p/fd $p/cwd $p/root $p/exe; done 2>/dev/null
find / -xdev -newer /nanogrid/bin/nanogrid-supervisor 2>/dev/null
ls -laR /nanogrid /run /mnt /srv /home /root /media 2>/dev/null
echo searched
