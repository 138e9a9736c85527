# A FIFO that nobody may open as it is.
mkfifo -m 000 .llm_usage_stats.jsonl
