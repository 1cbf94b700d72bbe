"""Names that are passed over in folders, archives and buckets: what systems and devices put there, and no pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imgmatch.model import Skipped, SkipReason
from imgmatch.sources.base import shown

_SYSTEM_FOLDERS = frozenset({
    # Synology, QNAP and other network storage: thumbnails, recycle bins, snapshots
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", ".@__thumb", ".@__qini", ".@__desc",
    ".@upload_cache", "@tmp", "@database", "@sharebin", "@sharesnap", ".recycle", ".snapshot", ".snapshots", ".zfs",
    ".streams",
    # Windows
    "$recycle.bin", "recycler", "system volume information",
    # macOS
    "__macosx", ".appledouble", ".trashes", ".fseventsd", ".spotlight-v100", ".temporaryitems", ".appledb",
    ".appledesktop", ".documentrevisions-v100", "network trash folder", "temporary items",
    # Android, Linux, and tools of programmers
    "lost.dir", ".thumbcache", "lost+found", ".trash", ".thumbnails", ".cache", ".git", ".svn", ".hg",
    # Tools that keep folders in step: what they replaced or have not written to its end
    ".dropbox.cache", ".stfolder", ".stversions", ".sync", ".syncthing",
})  # fmt: skip
_SYSTEM_FILES = frozenset({
    "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", ".ds_store", ".localized", ".apdisk",
    ".volumeicon.icns", "icon\r", ".directory",
})  # fmt: skip
_SYSTEM_FOLDER = re.compile(r"\.trash-\d+|found\.\d{3}")
_SYSTEM_FILE = re.compile(r"\._.*|\.nfs[0-9a-f]{8,}|\.#.*|.*@syno(?:eastream|resource)", re.DOTALL)

# Photos come under any name, so only what is certainly something else is left out.
_NOT_PICTURES = re.compile(
    r"\.(?:txt|md|rst|log|csv|tsv|json|jsonl|ndjson|parquet|html?|xml|ya?ml|toml|ini|pdf|docx?|xlsx?|pptx?|od[pst]|rtf"
    r"|eml|ics|vcf|zip|gz|tar|7z|rar|dmg|iso|exe|dll|apk|pyc?|js|css|sh|bat|db|sqlite3?|lnk|url"
    r"|mp3|wav|m4a|aac|ogg|flac|wma|mp4|m4v|mov|webm|avi|mkv|wmv|flv|mpe?g|3gp|m2?ts"
    r"|xmp|aae|ctg|mrk|pp3|dop)"  # what cameras and programs for photos keep beside them
)

_FOLDER_OF_A_SYSTEM = "The folder is a system's own."
_FILE_OF_A_SYSTEM = "The file is a system's own."
_NO_PICTURE = "By its name this is no picture."


@dataclass(frozen=True, slots=True)
class NameRule:
    """What is passed over by its name, in small or capital letters.

    Attributes:
        include: patterns such as ``@eaDir`` or ``*.pdf`` of names, and of paths within the source, that are not.
    """

    include: tuple[str, ...] = ()

    def passed_over(self, label: str, *, folder: bool) -> Skipped | None:
        """Why an entry is passed over; ``None`` if it may be, or hold, a photo."""
        name = label.rpartition("/")[2].lower()
        why = _reason(name, folder=folder)
        if why is None or self._is_included(name, label.lower()):
            return None
        return Skipped(shown(label), SkipReason.PASSED_OVER, why)

    def passed_over_within(self, label: str) -> Skipped | None:
        """The same of a file that is known by its whole path: for one of the folders, or for itself."""
        place = label.find("/")
        while place > 0:
            if (passed := self.passed_over(label[:place], folder=True)) is not None:
                return Skipped(shown(label), passed.reason, passed.detail)
            place = label.find("/", place + 1)
        return self.passed_over(label, folder=False)

    def _is_included(self, *names: str) -> bool:
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.include for name in names)


def _reason(name: str, *, folder: bool) -> str | None:
    if folder:
        return _FOLDER_OF_A_SYSTEM if name in _SYSTEM_FOLDERS or _SYSTEM_FOLDER.fullmatch(name) else None
    if name in _SYSTEM_FILES or _SYSTEM_FILE.fullmatch(name):
        return _FILE_OF_A_SYSTEM
    return _NO_PICTURE if _NOT_PICTURES.fullmatch(name, max(name.rfind("."), 0)) else None


USUAL_NAMES = NameRule()
"""Without exceptions."""
