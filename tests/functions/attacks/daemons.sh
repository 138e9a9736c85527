# Processes that mean to stay. First those that are here already are counted.
n=0
for p in /proc/[0-9]*; do n=$((n + 1)); done
echo "processes $n"
(setsid sleep 1000 >/dev/null 2>&1 &)
(setsid sh -c 'exec <&- >&- 2>&- 3>&-; trap "" TERM HUP INT QUIT USR1 USR2 PIPE; while :; do sleep 1000; done' &)
(setsid sh -c '(setsid sleep 1000 >/dev/null 2>&1 &)' &)
sh -c 'kill -STOP $$' &
(while :; do sleep 0.01; done >/dev/null 2>&1 &)
exit 0
