# What the third-party image runs: nothing but its own shell.
echo '{"hello":"shell"}'
