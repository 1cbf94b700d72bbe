"""Where photos come from: folders, manifests, archives, single files, buckets, URLs. ``open_source`` is the door."""

from imgmatch.sources.base import Source
from imgmatch.sources.opening import open_source

__all__ = ["Source", "open_source"]
