# A FIFO, with a writer that waits for a reader.
mkfifo .llm_usage_stats.jsonl
(echo never > .llm_usage_stats.jsonl) &
