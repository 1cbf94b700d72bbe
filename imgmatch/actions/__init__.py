"""What imgmatch does: one verb, one file; each takes the parts of an index and knows no command line and no HTTP."""
