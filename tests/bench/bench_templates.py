"""Different people in one template: ``make bench NAME=templates``. None of them may match another, and none be tied.

An index of photos and of 20 templates that no rule was fitted on, each filled in by 12 people; beside them the template
families of ``../shared/trials/edits/strangers``, where one photo may be in several. Each picture is checked, and rings
are asked for: wrong is what ties two of one family. Then what must be found in spite of it: photos of the index in
these templates, and pictures of a template that come again in it, saved anew. ``--quick`` takes five templates.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import PHOTOS, QUICK, SHARED, photos_in, print_figures, say
from edits.base import Scene
from edits.templates import is_words_only, template
from PIL import Image

from imgmatch.index import Index
from imgmatch.model import NewPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgmatch.model import CheckResult

SEED = 91
FIRST, FAMILIES, PEOPLE = 200, 5 if QUICK else 20, 12
"""Number of the first template, far above those that rules are fitted on; how many; and how many fill in each."""

BARE, AGAIN = 6, 4
"""Of each template: photos of the index put into it, and pictures of it that come again."""

OTHERS = 300 if QUICK else 2_000
TRIALS = SHARED / "trials" / "edits" / "strangers"


def run() -> dict[str, Any]:
    rng = random.Random(SEED)
    photos = photos_in("portraits", "phone", "generated")
    rng.shuffle(photos)
    bare, people = photos[:OTHERS], photos[OTHERS:]
    with tempfile.TemporaryDirectory(prefix="imgmatch-bench-") as folder:
        home = Path(folder)
        families = {
            f"template-{FIRST + n}": filled(home, FIRST + n, people[n * PEOPLE : (n + 1) * PEOPLE])
            for n in range(FAMILIES)
        }
        if TRIALS.is_dir():
            families |= {f"trial {one.name}": sorted(one.iterdir()) for one in sorted(TRIALS.iterdir())}
        framed = [pair for n in range(FAMILIES) for pair in put_in(home, FIRST + n, rng.sample(bare, BARE))]
        again = [
            (saved_anew(home, path, rng), account_of(path), name)
            for name, some in families.items()
            for path in some[:AGAIN]
        ]
        with Index.create(home / "index", workers=2) as index:
            every = [*bare, *(path for some in families.values() for path in some)]
            index.add([NewPhoto.at(path, account=account_of(path)) for path in every])
            say(f"{len(index):,} photos indexed")
            strangers = {name: checked(index, some) for name, some in families.items()}
            rings = index.rings().rings
            ours = {account_of(path): name for name, some in families.items() for path in some}
            of_one = [Counter(ours[one.account] for one in ring.accounts if one.account in ours) for ring in rings]
            tied = {name: count for counts in of_one for name, count in counts.items() if count > 1}
            found = {"framed_photos": found_percent(index, framed)}
            for words in (False, True):
                which = [(file, account) for file, account, name in again if shows_words(name) is words]
                found["words_saved_anew" if words else "photos_saved_anew"] = found_percent(index, which)
            kinds = Counter(
                str(match.evidence.kind)
                for result in index.check_many([some[0] for some in families.values()], related=True, limit=50)
                for match in result
            )
        checks, answered = (sum(one[which] for one in strangers.values()) for which in ("checks", "answered"))
        return {
            "families": len(families),
            "strangers_checked": checks,
            "strangers_answered": answered,
            "answered_percent": round(100 * answered / checks, 2),
            "rings_of_one_template": tied,
            "by_family": {name: one["answered"] for name, one in strangers.items() if one["answered"]},
            **found,
            "kinds_with_related_one_check_a_family": dict(kinds),
        }


def account_of(path: Path) -> str:
    return str(path.relative_to(PHOTOS)) if path.is_relative_to(PHOTOS) else f"{path.parent.name}/{path.name}"


def shows_words(name: str) -> bool:
    """Whether pictures of a family show no photo."""
    kind, _, number = name.partition("-")
    return is_words_only(int(number)) if kind == "template" else name in {"trial qr", "trial quotecard"}


def draw(path: Path, number: int, seed: int) -> Image.Image:
    with Image.open(path) as image:
        return template(number).draw(image.convert("RGB"), 0, Scene(random.Random(seed), []))


def filled(home: Path, number: int, people: Sequence[Path]) -> list[Path]:
    """Pictures of one template, each of another person."""
    folder = home / f"t{number}"
    folder.mkdir()
    made = []
    for place, path in enumerate(people):
        made.append(folder / f"{place}.jpg")
        draw(path, number, place).save(made[-1], quality=90)
    return made


def put_in(home: Path, number: int, photos: Sequence[Path]) -> list[tuple[Path, str]]:
    """Photos of the index in a template, each with the account that has it; none where a template shows no photo."""
    if is_words_only(number):
        return []
    folder = home / f"f{number}"
    folder.mkdir()
    pairs = []
    for place, path in enumerate(photos):
        file = folder / f"{place}.jpg"
        draw(path, number, 1_000 + place).save(file, quality=88)
        pairs.append((file, account_of(path)))
    return pairs


def saved_anew(home: Path, path: Path, rng: random.Random) -> Path:
    """A picture as it comes again: smaller, a little cropped, packed harder."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    edge = [round(side * rng.uniform(0, 0.03)) for side in picture.size]
    part = picture.crop((edge[0], edge[1], picture.width - edge[0], picture.height - edge[1]))
    file = home / f"again-{path.parent.name}-{path.name}"
    part.resize((part.width * 3 // 4, part.height * 3 // 4), Image.Resampling.LANCZOS).save(file, "JPEG", quality=70)
    return file


def checked(index: Index, some: Sequence[Path]) -> dict[str, int]:
    """How many pictures of a family are said to be copies of another one of it."""
    results = index.check_many(some, limit=50)
    others = {account_of(path) for path in some}
    answered = sum(
        bool((accounts(result) & others) - {account_of(path)}) for path, result in zip(some, results, strict=True)
    )
    return {"checks": len(some), "answered": answered}


def accounts(result: CheckResult) -> set[str]:
    return {match.photo.account for match in result} if result.status is Status.MATCH else set()


def found_percent(index: Index, pairs: Sequence[tuple[Path, str]]) -> dict[str, Any]:
    results = index.check_many([file for file, _ in pairs], limit=50)
    found = [account in accounts(result) for (_, account), result in zip(pairs, results, strict=True)]
    return {"checks": len(found), "found_percent": round(100 * sum(found) / len(found), 1)}


if __name__ == "__main__":
    print_figures("templates", run)
