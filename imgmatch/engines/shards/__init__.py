"""An engine in shards: who holds which rows, what a shard answers, and how the answers of all become one."""
