"""How large pictures are kept; apart from what decodes them, which only worker processes need to load."""

SMALL_SIDE = 512
"""Longer side of the small picture, in pixels; PDQ is defined on pictures of at most this size."""

KEPT = 1.25
"""A picture up to so many times the size wanted is left as it is: scaling by a little costs more than all that is done
to it."""

SHOWN_SIDE = 480
"""Longer side of a picture that is shown, in pixels."""

LARGE_SIDE = 1_400
"""Longer side of the larger picture of a query: a screenshot may show the photo as a small part of it."""
