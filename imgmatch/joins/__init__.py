"""All pairs of near fingerprints at once, for grouping."""
