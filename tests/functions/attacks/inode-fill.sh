# Files without end, each of them empty.
mkdir /tmp/many && cd /tmp/many && seq 1 100000 | xargs touch || exit 3
