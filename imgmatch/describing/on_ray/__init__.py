"""Describing photos on a Ray cluster. Our process runs :mod:`.runner` and :mod:`.link`, others the rest."""
