# No file at all, and one of a similar name.
echo mine > .llm_usage_stats.jsonl.bak
