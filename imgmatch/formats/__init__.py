"""What an action returns, as text: pure functions, one format one file."""
