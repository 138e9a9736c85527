# A large file that a process left behind cuts to nothing and makes long again, without end: read while that process
# lives, it is shorter than it was said to be.
exec perl -e '
use strict;
open(my $file, "+>", "/output/file") or die $!;
truncate($file, 48 << 20) or die $!;
pipe(my $begun, my $begin) or die $!;
if (!fork()) {
  for (my $i = 0; ; $i++) {
    truncate($file, 0) or die $!;
    truncate($file, 48 << 20) or die $!;
    syswrite($begin, "x") if $i == 100;
  }
}
sysread($begun, my $byte, 1) == 1 or die "no cutter";
print "cutting\n"'
