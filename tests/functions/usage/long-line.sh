# One line of 100 MB.
perl -e '$| = 1; print "x" x 1000000 for 1 .. 100' > .llm_usage_stats.jsonl
