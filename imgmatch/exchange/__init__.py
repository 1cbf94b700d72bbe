"""Banks, hash lists and other things that sites exchange."""
