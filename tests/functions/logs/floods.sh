# Both streams and the descriptor of a handler's value, as fast as they take it, until the time is over.
yes "out of control" &
yes "error of all errors" >&2 &
yes '{"descriptor": 3}' >&3 &
sleep 60
