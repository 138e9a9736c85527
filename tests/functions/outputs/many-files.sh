# 100,000 files: the inodes of the place run out first.
perl -e '
for my $i (1 .. 100000) {
  open(my $file, ">", "/output/$i") or do { print "stopped: $!\n"; exit };
  print $file "mine\n";
}'
