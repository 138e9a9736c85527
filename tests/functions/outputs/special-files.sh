# What is no regular file: FIFOs, one with a writer that waits; a socket; devices, which cannot be made.
cd /output || exit 1
mkfifo fifo waiting
(echo never > waiting) &
perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("/output/socket")) or die $!; listen(S, 1)'
mknod null c 1 3 2>/dev/null && echo "made a device"
mknod disk b 8 0 2>/dev/null && echo "made a disk"
ln -s /dev/zero zero
ln -s /dev/stdin stdin
echo mine > real
echo done
