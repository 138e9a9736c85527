# Links to what is not the job's: files of the container, of the host, of the kernel; to folders; to nothing; in a loop.
cd /output || exit 1
ln -s /etc/passwd passwd
ln -s /nanogrid/state/payload.json input
ln -s "$1" host
ln -s /proc/1/environ environ
ln -s /etc parent
mkdir inside
ln -s ../../etc/passwd inside/passwd
ln -s / inside/root
ln -s loop loop
ln -s b a
ln -s a b
ln -s . here
ln -s .. up
ln -s nothing dangling
echo mine > real
ln -s real alias
