# The file, in its folder and wherever else there could be one; the next job writes none.
for place in . /tmp /output /dev/shm; do echo mine > $place/.llm_usage_stats.jsonl; done
