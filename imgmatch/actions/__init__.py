"""What imgmatch does, one file a deed: no printing, no command line, nothing of HTTP."""
