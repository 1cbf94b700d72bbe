"""Shards as actors of a Ray cluster, which starts them anew and places them again."""
