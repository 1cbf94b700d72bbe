"""Search among fingerprints. Engines are derived from the catalog and know ids and bits, nothing of photos."""
