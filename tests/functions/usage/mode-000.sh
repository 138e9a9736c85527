# A file that even its owner may not read, as it is.
echo mine > .llm_usage_stats.jsonl && chmod 000 .llm_usage_stats.jsonl
