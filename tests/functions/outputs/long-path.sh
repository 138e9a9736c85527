# A path that fits the container and no key of an object store.
perl -e '
my $path = "/output";
for (1 .. 10) { $path .= "/" . "x" x 200; mkdir $path or die $! }
open(my $file, ">", "$path/file") or die $!;
print $file "mine\n";'
echo mine > /output/real
