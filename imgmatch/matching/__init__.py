"""From candidates to accounts: what engines returned is verified, and becomes evidence."""
