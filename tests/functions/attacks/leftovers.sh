# Says what it finds of the job before it, in every place that can be written, then leaves all it can.
find /tmp /var/tmp /dev/shm /dev/mqueue /output . -mindepth 1 ! -name 'main.*' ! -name job.sh
tail -qc 6 main.*
cat /proc/locks | grep -c . | sed 's/^/locks /'
cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg | grep -v key
grep -c @ /proc/net/unix | sed 's/^/sockets /'
[ "$(umask) $(pwd) $(ulimit -n)" = "0022 /function 1024" ] || echo "other state: $(umask) $(pwd) $(ulimit -n)"
env | grep LEFT

umask 000
for place in /tmp /var/tmp /dev/shm /output .; do
  mkdir -p $place/a/b/.c
  touch $place/.hidden "$place/with space" "$place/$(printf 'line\nbreak')" "$place/-rf" $place/a/b/.c/file
  ln -s /etc $place/link
  ln $place/.hidden $place/hard
  mkfifo $place/fifo
  chmod 000 $place/a/b/.c $place/a/b $place/a
done
touch /dev/mqueue/queue 2>/dev/null
echo broken >>main.sh 2>/dev/null
echo broken >>main.py 2>/dev/null
rm -f job.sh
ulimit -n 100
export LEFT=1
(setsid flock /tmp/lock sleep 1000 >/dev/null 2>&1 &)
exit 0
