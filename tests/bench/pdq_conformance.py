"""How near the PDQ values of ``imgmatch hash`` come to the published ones and to tx's, picture by picture."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from common import SHARED, peer, say
from PIL import Image, ImageDraw, ImageOps

from imgmatch.describing.messages import Description, Job
from imgmatch.describing.pool import WorkerPool
from imgmatch.describing.settings import Settings
from imgmatch.hashers.hexform import from_hex
from imgmatch.hashers.pdq import Pdq
from imgmatch.imaging.limits import Limits
from imgmatch.imaging.picture import small_picture
from imgmatch.model import ORIENTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Bits = NDArray[np.uint8]

USABLE = 50
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class Value:
    """A PDQ value, shape (32,), of one picture; ``turned`` has all eight orientations, shape (8, 32), where known."""

    bits: Bits
    quality: int
    turned: Bits | None = None


def conformance() -> dict[str, Any]:
    """All tables, which are also shown."""
    published = references()
    with WorkerPool(1, Settings(("pdq",), features=False, thumbnails=False)) as workers:
        tables = {
            "references": against_published(workers, published),
            "orientations": against_published_orientations(workers, published),
            "exif": upright(workers),
            "modes": modes(workers),
            "on_purpose": on_purpose(workers),
        }
    for name, rows in tables.items():
        show(name, rows)
    return {**summary(tables), "tables": tables}


def references() -> dict[str, Bits]:
    """The published value of each file."""
    with (SHARED / "pdq" / "expected.csv").open(newline="") as lines:
        return {row["file"]: from_hex(row["pdq"]) for row in csv.DictReader(lines)}


def ours(workers: WorkerPool, photos: Iterable[Path | bytes]) -> list[Value | str]:
    """What ``imgmatch hash`` says of photos, or why it says nothing."""
    replies = workers.describe(photos, lambda photo: Job(photo, query=True, features=False))
    return [_value(reply) if isinstance(reply, Description) else str(reply) for _, reply in replies]


def _value(reply: Description) -> Value:
    turned = np.frombuffer(reply.first.orientations["pdq"], np.uint8).reshape(-1, 32)
    return Value(turned[0], reply.quality, turned)


def exact(image: Image.Image) -> Value:
    """The value from luma in fractions of a grey level, which is the published one where there is one."""
    return Value(*Pdq().fingerprint_and_quality(np.asarray(image.convert("RGB")) @ LUMA))


def theirs(data: bytes) -> Value | str:
    """What ``tx hash`` says of a photo, or why it says nothing."""
    module = peer("threatexchange.signal_type.pdq.pdq_hasher")
    if isinstance(module, str):
        return module
    try:
        text, quality = module.pdq_from_bytes(data)
    except Exception as error:  # noqa: BLE001 -- whatever a peer raises
        return f"{type(error).__name__}: {error}"[:60]
    return Value(from_hex(text), int(quality))


def bits_between(one: Value | str, other: Value | Bits | str) -> int | str:
    """The distance of two values, or why there is none."""
    if isinstance(one, str):
        return one
    if isinstance(other, str):
        return other
    return int(np.bitwise_count(one.bits ^ (other.bits if isinstance(other, Value) else other)).sum())


def quality_of(value: Value | str) -> int | None:
    return None if isinstance(value, str) else value.quality


# -- tables -----------------------------------------------------------------------------------------------------------


def against_published(workers: WorkerPool, published: Mapping[str, Bits]) -> list[dict[str, Any]]:
    """Every published value: ours as a scan computes it, tx's, and ours from luma in fractions of a grey level."""
    files = [SHARED / "pdq" / name for name in published]
    rows = []
    for (name, bits), file, value in zip(published.items(), files, ours(workers, files), strict=True):
        with Image.open(file) as image:
            right = exact(image)
        rows.append(
            {
                "file": name,
                "quality": right.quality,
                "imgmatch": bits_between(value, bits),
                "tx": bits_between(theirs(file.read_bytes()), bits),
                "exact luma": bits_between(right, bits),
            }
        )
    return rows


def against_published_orientations(workers: WorkerPool, published: Mapping[str, Bits]) -> list[dict[str, Any]]:
    """The values of eight files that show one picture turned, against those computed from the upright file alone."""
    files = {name: bits for name, bits in published.items() if name.startswith("dih/")}
    (value,) = ours(workers, [SHARED / "pdq" / "dih" / "bridge-1-original.jpg"])
    assert isinstance(value, Value)
    assert value.turned is not None
    rows = []
    for name, bits in files.items():
        distances = np.bitwise_count(value.turned ^ bits).sum(axis=1)
        best = ORIENTATIONS[int(distances.argmin())]
        found = f"{'mirrored, ' if best.mirrored else ''}{best.rotation}"
        rows.append({"file": name, "found as": found, "imgmatch": int(distances.min())})
    return rows


def upright(workers: WorkerPool) -> list[dict[str, Any]]:
    """Photos that say how they are to be turned: ours and tx's against the exact value of the upright photo."""
    files = [*sorted((SHARED / "pdq" / "exif-rotn").iterdir()), *sorted((SHARED / "formats" / "exif").glob("*.jpg"))]
    rows = []
    for file, value in zip(files, ours(workers, files), strict=True):
        with Image.open(file) as image:
            tag = image.getexif().get(0x0112)
            right = exact(ImageOps.exif_transpose(image))
        tx = theirs(file.read_bytes())
        both = {"imgmatch": bits_between(value, right), "tx": bits_between(tx, right)}
        rows.append({"file": f"{file.parent.name}/{file.name}", "tag": tag, "quality": quality_of(value), **both})
    return rows


def modes(workers: WorkerPool) -> list[dict[str, Any]]:
    """Every mode of picture: pdqhash on the pixels that ours is computed from, and either against the original."""
    folder = SHARED / "formats" / "modes"
    files = [file for file in sorted(folder.iterdir()) if file.suffix != ".md"]
    original = folder / "original.jpg"
    (right,) = ours(workers, [original])
    tx_right = theirs(original.read_bytes())
    rows = []
    for file, value in zip(files, ours(workers, files), strict=True):
        grey = small_picture(file.read_bytes(), Limits()).grey
        with Image.open(file) as image:
            mode = image.mode
        tx = theirs(file.read_bytes())
        rows.append(
            {
                "file": file.name,
                "mode": mode,
                "quality": quality_of(value),
                "pdqhash on the same pixels": bits_between(value, pdqhash_of(grey)),
                "imgmatch to its original": bits_between(value, right),
                "tx to its original": bits_between(tx, tx_right),
                "tx quality": quality_of(tx),
            }
        )
    return rows


def pdqhash_of(grey: NDArray[np.uint8]) -> Value | str:
    module = peer("pdqhash")
    if isinstance(module, str):
        return module
    bits, quality = module.compute(np.ascontiguousarray(np.dstack([grey] * 3)))
    return Value(np.packbits(bits), int(quality))


def on_purpose(workers: WorkerPool) -> list[dict[str, Any]]:
    """One picture in forms that imgmatch shows as people see them: how far each is from the plain one."""
    with Image.open(SHARED / "formats" / "modes" / "original.jpg") as image:
        plain = image.convert("RGB").resize((512, 320), Image.Resampling.BOX)
    cut = plain.copy()
    mask = Image.new("L", plain.size, 0)
    ImageDraw.Draw(mask).ellipse((40, 10, 470, 310), fill=255)
    cut.putalpha(mask)  # what is transparent keeps its colours
    white = Image.composite(plain, Image.new("RGB", plain.size, "white"), mask)
    exif = Image.Exif()
    exif[0x0112] = 6
    forms = {
        "EXIF orientation 6": (_saved(plain.rotate(90, expand=True), "JPEG", quality=95, exif=exif), plain),
        "transparent (RGBA)": (_as_png(cut), white),
        "transparent (LA)": (_as_png(cut.convert("LA")), white),
        "palette (P)": (_as_png(plain.quantize(256)), plain),
        "CMYK": (_saved(plain.convert("CMYK"), "JPEG", quality=95), plain),
        "16-bit grey": (_as_png(Image.fromarray(np.asarray(plain.convert("L")).astype(np.uint16) * 257)), plain),
    }
    rows = []
    for (name, (data, shown)), value in zip(
        forms.items(), ours(workers, [data for data, _ in forms.values()]), strict=True
    ):
        right, tx = exact(shown), theirs(data)
        both = {"imgmatch": bits_between(value, right), "tx": bits_between(tx, right)}
        rows.append({"form": name, **both, "tx quality": quality_of(tx)})
    return rows


def _as_png(image: Image.Image) -> bytes:
    return _saved(image, "PNG")


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:  # noqa: ANN401 -- Pillow's
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


# -- what comes of them -----------------------------------------------------------------------------------------------


def summary(tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The worst of each table, of pictures with a usable quality."""
    usable = [row for row in tables["references"] if row["quality"] >= USABLE]
    return {
        "references": len(usable),
        "within_2": sum(_number(row["imgmatch"]) <= 2 for row in usable),
        "worst_from_exact_luma": max(row["exact luma"] for row in usable),
        "worst_from_whole_levels": max(_number(row["imgmatch"]) for row in usable),
        "worst_of_tx": max(_number(row["tx"]) for row in usable),
        "worst_orientation": max(row["imgmatch"] for row in tables["orientations"]),
        "worst_on_the_same_pixels": max(_number(row["pdqhash on the same pixels"]) for row in tables["modes"]),
    }


def _number(distance: int | str) -> int:
    return distance if isinstance(distance, int) else -1


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """A table, to the person waiting."""
    say(f"\n{name}")
    say("| " + " | ".join(rows[0]) + " |")
    say("|" + "---|" * len(rows[0]))
    for row in rows:
        say("| " + " | ".join("" if cell is None else str(cell) for cell in row.values()) + " |")
