# 5 GB of nothing.
truncate -s 5G .llm_usage_stats.jsonl
