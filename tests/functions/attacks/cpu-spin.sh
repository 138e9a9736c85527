# Every processor, for ever.
while :; do :; done &
while :; do :; done
