"""Global fingerprints of 256 bits, one algorithm a file.

Every hasher follows the Protocol in ``base``: a class without state that turns a small grey picture into 32 bytes,
alone or in all eight orientations. ``phash`` is the general one, ``pdq`` the one the field exchanges, ``dhash`` and
``whash`` are imagehash's other two. This module imports nothing, so that naming a hasher costs nothing.
"""
