# What a job finds around it, in a form that is the same on every machine.
echo "== process"
grep -E '^(Umask|Groups|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp|SigBlk|SigIgn|Threads):' /proc/self/status | tr -s ' \t' ' ' | sed 's/ *$//'
[ "$(id -u)" -ge 20000 ] && [ "$(id -u)" = "$(id -g)" ] && [ "$(id -G)" = "$(id -g)" ] && echo "an unprivileged user with a group of its own"
echo "descriptors" $(ls /proc/self/fd | head -n -1)
pwd
echo "priority $(cut -d ' ' -f 18,19,40,41 /proc/self/stat), oom $(cat /proc/self/oom_score_adj)"
echo "== limits"
grep -E '^Max (core file size|open files|locked memory|nice priority|realtime priority)' /proc/self/limits | tr -s ' ' | sed 's/ *$//'
echo "== environment"
env | grep -v -E '^(_|SHLVL|OLDPWD)=' | sed -E 's/^(HOSTNAME|JOB_ID|REQUEST_ID)=.*/\1=*/' | sort
echo "== processes"
for p in $(grep -l '^Uid:.0' /proc/[0-9]*/status); do tr '\0' ' ' <"${p%status}cmdline"; echo; done | sort -u
echo "== mounts"
sed -E 's/^[^ ]+ //; s/,?(lowerdir|upperdir|workdir|uuid|index|metacopy|redirect_dir|xino)=[^, ]*//g; s/,(seclabel|inode64|nouserxattr|userxattr)//g; s/ 0 0$//' /proc/mounts |
  grep -v -E '^/(proc|sys)/' |
  sed -E 's/^(\/nanogrid\/bin|\/etc\/host[a-z]*|\/etc\/resolv.conf) [a-z0-9]+ (r[ow]),.*/\1 volume \2/; s/^(\/dev tmpfs .*),size=[^ ]*/\1/' | sort
echo "== control groups"
grep ' /sys/fs/cgroup' /proc/mounts | grep -v -E '^tmpfs' | cut -d ' ' -f 4 | cut -d , -f 1-4 | sort -u
sed 's/.*://' /proc/self/cgroup | sort -u
echo "== places to write"
find / -path /proc -prune -o -path /sys -prune -o -path /dev/pts -prune -o ! -type l -writable -print 2>/dev/null | sort
find /proc/sys /proc/irq /proc/bus /proc/fs /sys -writable ! -type l 2>/dev/null
echo "== devices"
ls /dev | grep -v -E '^(fd|std(in|out|err)|core)$' | tr '\n' ' '
echo
echo "== network"
ls /sys/class/net
[ "$(cat /proc/net/route /proc/net/ipv6_route 2>/dev/null | grep -c -v -E 'Iface|lo$')" = 0 ] && echo "no route"
echo "== masked"
for f in kcore keys latency_stats timer_list sched_debug; do head -c 1 /proc/$f 2>/dev/null; done
ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v -E '^$|:$'
exit 0
