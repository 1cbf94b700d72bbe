"""Speaking to a Ray cluster: a process of its own joins it, and plain bytes cross the network."""
