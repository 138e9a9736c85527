# Files that grow, are cut and replaced until the job is dead.
cd /output || exit 1
(while :; do echo mine >> grows; done) &
(while :; do echo mine > .new; mv .new replaced; done) &
(while :; do truncate -s 5000000 cut; truncate -s 0 cut; done) &
until [ -s grows ] && [ -s replaced ] && [ -e cut ]; do :; done
