# The folder itself is a mount point that belongs to root: it stays what and where it is.
mkdir /tmp/other
for attempt in 'rmdir /output' 'rm -rf /output' 'mv /output /tmp/moved' 'mv -T /tmp/other /output' 'ln -sfT /etc /output' \
  'chmod 000 /output' 'chown 0 /output' 'umount /output' 'umount -l /output' 'mount --bind /etc /output' \
  'perl -e rename("/output","/tmp/moved")||exit(1)'; do
  $attempt 2>/dev/null && echo "could: $attempt"
done
echo mine > /output/real
echo done
