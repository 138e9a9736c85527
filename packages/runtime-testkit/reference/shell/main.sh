# The operations of the conformance kit, for a shell. The input is a JSON string: an operation and its arguments.
input=$(cat; echo .)
input=${input%.}
words=${input#\"}
words=${words%\"}
op=${words%% *}
rest=${words#"$op"}
rest=${rest# }
bytes() { i=0; while [ $i -lt 256 ]; do printf "\\$(printf %03o $i)"; i=$((i + 1)); done; }

case $op in
hello) echo '{"hello":"world"}' ;;
print) printf '%s\n' "$rest" ;;
env) printenv "$rest" ;;
exit) echo out; echo err >&2; exit "$rest" ;;
input)
  printf %s "$input" >/output/stdin
  cp "$PAYLOAD_FILE" /output/file
  printf %s "${PAYLOAD-}" >/output/env ;;
files)
  mkdir -p /output/a/b
  bytes >/output/a/b/bytes
  : >/output/empty
  bytes ;;
flood) head -c "$rest" /dev/zero | tr '\0' x ;;
read) cat "$rest" 2>/dev/null || exit 1 ;;
hold) # A shell has no memory to speak of: a file in /tmp, which is memory, counts as the job's.
  dd if=/dev/zero of=/tmp/held bs=64k count=$((${rest% *} * 16)) 2>/dev/null || exit 1
  sleep 0.1 ;;
hang) trap '' TERM; echo hanging; sleep 60 & sleep 60 ;;
fork-bomb) i=0; while [ $i -lt 1000 ]; do sleep 20 & i=$((i + 1)); echo $i; done ;;
leave) for place in . /tmp /var/tmp /dev/shm /output; do echo left >"$place/left"; done ;;
daemon) setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $! ;;
*) echo "unknown operation: $op" >&2; exit 99 ;;
esac
