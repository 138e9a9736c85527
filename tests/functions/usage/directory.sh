# A folder with files in it.
mkdir .llm_usage_stats.jsonl && echo mine > .llm_usage_stats.jsonl/x
