# One process that keeps everything it reads.
exec tail /dev/zero
