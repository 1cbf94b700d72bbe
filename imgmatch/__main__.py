"""``python -m imgmatch``."""

from imgmatch.cli import main

if __name__ == "__main__":
    main()
