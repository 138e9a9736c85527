# Regular files and folders that turn into links to what is not the job's and back, until the job is dead. The job ends
# when each of four processes has swapped 800 times; they do not stop.
exec perl -e '
use strict;
my @foreign = ("/etc/passwd", glob("/nanogrid/state/code/main.*"));
sub mine { open(my $f, ">", $_[0]) or die "$_[0]: $!"; print $f "mine\n" }
sub link_to { symlink($_[0], $_[1]) or die "$_[1]: $!" }
mkdir "/output/$_" or die $! for qw(f g d e);
for my $which (qw(f g d e)) {
  next if fork();
  chdir "/output/$which" or die $!;
  for (my $i = 0; ; $i++) {
    if ($which eq "f" || $which eq "g") {
      mine("new"); rename("new", "file") or die $!;
      link_to($foreign[$i % @foreign], "new"); rename("new", "file") or die $!;
    } else {
      # A folder cannot be renamed over by a link: for a moment there is neither.
      mkdir "folder" or die $!; mine("folder/passwd"); rename("folder", "old") or die $!;
      link_to("/etc", "folder"); unlink "folder", "old/passwd"; rmdir "old" or die $!;
    }
    if ($i == 400) { open(my $ready, ">", "/tmp/ready-$which") or die $! }
  }
}
until (@{[glob("/tmp/ready-*")]} == 4) { die "a swapper died" if waitpid(-1, 1) > 0; select(undef, undef, undef, 0.002) }
print "3200 swaps\n"'
