"""What an opened index is made of, for the verbs that work on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog.base import Catalog
from imgmatch.describing.runner import Runner
from imgmatch.describing.settings import Settings
from imgmatch.engines.bank_hashes import BankHashes
from imgmatch.engines.folder import Layout
from imgmatch.engines.header import Header
from imgmatch.engines.listening import Listening
from imgmatch.engines.searching import Search
from imgmatch.engines.sync import FeatureSearcher, FingerprintSearcher

if TYPE_CHECKING:
    from imgmatch.hashers.base import Hasher


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an opened index; opened and closed by :class:`imgmatch.index.Index`.

    Attributes:
        name: what messages call the index: its folder, or its URL without a password.
        url: of an index in a database its URL, without a password; ``None`` for one in a folder.
        folder: where the engine files lie.
        header: what the index is made of, as it was when it was opened: of it only the engine files ever change.
        catalog: the truth.
        fingerprints: the engine of the first hasher's fingerprints.
        features: the engine of local features.
        search: asks both, or the shards that hold them.
        banks: the PDQ values on banks.
        listening: has engines that are open read what others write, before anybody asks.
        runner: describes photos.
        settings: what is computed of a photo.
    """

    name: str
    url: str | None
    folder: Layout
    header: Header
    catalog: Catalog
    fingerprints: FingerprintSearcher
    features: FeatureSearcher
    search: Search
    banks: BankHashes
    listening: Listening
    runner: Runner
    settings: Settings

    @property
    def hasher_name(self) -> str:
        """Of the hasher whose fingerprints are searched."""
        return self.header.hashers[0]

    @property
    def hasher(self) -> Hasher:
        """The hasher whose fingerprints are searched."""
        return registry.hasher(self.hasher_name)

    @property
    def codebook(self) -> str:
        """The name of the codebook the local features are coded by."""
        return self.header.codebook
