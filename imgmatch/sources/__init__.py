"""Where photos come from: folders, manifests, archives, single files, buckets, URLs.

``open_source`` is the door for scans, ``query_photos`` for what is asked about.
"""

from imgmatch.sources.base import Source
from imgmatch.sources.opening import open_source
from imgmatch.sources.queries import query_photo, query_photos

__all__ = ["Source", "open_source", "query_photo", "query_photos"]
