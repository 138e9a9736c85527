# A socket that listens.
perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(".llm_usage_stats.jsonl")) or die $!; listen(S, 1)'
