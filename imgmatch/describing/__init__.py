"""Processes that decode and hash photos, so that a photo that kills or hangs its decoder costs that photo only."""
