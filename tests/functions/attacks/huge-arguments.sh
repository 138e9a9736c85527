# A list of arguments that no program takes.
exec /bin/true $(seq 1 1000000)
