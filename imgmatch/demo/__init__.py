"""A small drawn world of accounts, photos and planted rings, so that everything can be tried without a download."""
