"""Local features: what survives a crop, a frame or a screenshot, and how two pictures are laid together."""
