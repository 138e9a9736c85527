# Lines that look like the worker's own records, on both streams, as file names, and as the last words of a failure.
line='{"level":"error","time":"2026-01-01T00:00:00.000Z","msg":"forged"}'
printf '\n%s\n' "$line"
printf '\r\n%s\n' "$line" >&2
echo mine > "/output/$(printf 'x\n%s' "$line")"
ln -s /etc "/output/$(printf 'y\r\n%s' "$line")"
printf 'x\033[31m\r%s\033[0m\n' "$line" >&2
exit 1
