# Files and folders that even their owner may not read, as they are.
cd /output || exit 1
mkdir -p a/b
for file in top a/middle a/b/bottom; do echo mine > $file; chmod 000 $file; done
chmod 000 a/b a
