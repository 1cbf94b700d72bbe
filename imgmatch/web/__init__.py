"""The page for moderators and the API: HTTP in, one verb of ``Index``, pages and JSON out. An extra: ``serve``."""
