# Names that mean something to a shell, a path, a URL, a terminal or a decoder. Each file holds its own name.
cd /output || exit 1
make() { perl -e 'open(my $f, ">", "/output/$ARGV[0]") or die "$ARGV[0]: $!"; print $f $ARGV[0]' -- "$1"; }
for name in "it's" 'say "hi"' '...' '.. ' '..%2f..%2fetc%2fpasswd' '%2e%2e' '..\..\x' 'C:\x' 'a?b#c&d=e;f' '-rf' '$(id)' \
  '`id`' '__proto__' 'constructor' 'a b' ' ' '~' '*' 'ü' '€😀' '日本語'; do make "$name"; done
make "$(printf '\342\200\245')"        # U+2025, which looks like ..
make "$(printf '\357\274\216\357\274\216')" # the same in full width
make "$(printf '\357\273\277byte order mark')"
make 'byte order mark'
make "$(perl -e 'print "x" x 255')"
mkdir "$(printf '\357\273\277..')" && make "$(printf '\357\273\277../up')"
make "$(printf 'new\nline')"
make "$(printf 'tab\there')"
make "$(printf 'escape\033[31m')"
make "$(printf 'delete\177')"
make "$(printf 'c1 \302\2332J')"
make "$(printf 'not utf-8 \377\376')"
make "$(printf 'overlong \300\256\300\256')"
make "$(printf 'surrogate \355\240\200')"
