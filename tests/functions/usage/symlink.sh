# The file is a link to something that is not the job's.
ln -s /etc/passwd .llm_usage_stats.jsonl
