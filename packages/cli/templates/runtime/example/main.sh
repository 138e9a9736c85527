# The input is JSON on standard input; the last line is the result where it is JSON.
echo "at work" >&2
printf '{"runtime":"%s","input":%s}\n' "__name__" "$(cat)"
