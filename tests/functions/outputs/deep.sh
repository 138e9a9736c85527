# 1,000 folders below each other.
echo mine > /output/real
perl -e '
chdir "/output" or die $!;
for (1 .. 1000) { mkdir "d" or die $!; chdir "d" or die $! }
open(my $file, ">", "file") or die $!;
print "done\n"'
