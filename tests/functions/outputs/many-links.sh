# More links than anyone wants to read about, with paths as long as they can be; and one folder too deep.
perl -e '
my $long = "x" x 240;
my $path = "/output";
for (1 .. 14) { $path .= "/$long"; mkdir $path or die $! }
for my $deeper ("d", "d/e", "d/e/f") { mkdir("$path/$deeper") or die $! }
for my $i (1 .. 100000) { symlink("/etc/passwd", "$path/$i") or do { print "stopped: $!\n"; last } }'
