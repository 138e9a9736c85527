# Everything that a disk holds.
exec dd if=/dev/zero of=/tmp/big bs=1M count=4000
