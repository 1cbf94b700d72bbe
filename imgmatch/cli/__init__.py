"""The command line: one command, one file; each parses, calls one verb of the library and formats what it returns."""

from imgmatch.cli.main import main

__all__ = ["main"]
