"""From pairs to groups, from groups to rings, and what has changed since the last report."""
