"""The command line: one command, one file; each opens an index, calls one action and formats what it returns."""

from imgmatch.cli.main import main

__all__ = ["main"]
