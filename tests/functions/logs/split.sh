# Characters of several bytes, written byte by byte; then one more byte than is kept, in the middle of a character.
perl -e '
$| = 1;
for (1 .. 200) { for my $byte (split //, "\xf0\x9f\x98\x80\xe2\x82\xac") { syswrite(STDOUT, $byte) } }
print STDERR "x", "\xf0\x9f\x98\x80" x (1 << 18);'
