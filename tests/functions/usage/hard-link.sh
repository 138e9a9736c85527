# A hard link to a file of another mount cannot be made.
for foreign in /etc/passwd /nanogrid/state/payload.json; do ln $foreign .llm_usage_stats.jsonl 2>/dev/null && echo linked; done
exit 0
