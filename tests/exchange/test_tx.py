"""The extension in the real ``tx``: started as a user starts it, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import photos
import pytest
from needing_tx import need_tx
from PIL import Image, ImageOps

need_tx()

from threatexchange.signal_type.pdq.pdq_index import PDQIndex  # noqa: E402 -- not where it is missing

from imgmatch import Index, ListOptions  # noqa: E402 -- the same
from imgmatch.exchange.tx import TX_MANIFEST, ImgmatchPdqSignal  # noqa: E402 -- the same
from imgmatch.exchange.tx_index import BandedIndex  # noqa: E402 -- the same

if TYPE_CHECKING:
    from collections.abc import Callable

    Tx = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[2]
OURS = "imgmatch_pdq"


@pytest.fixture
def tx(tmp_path: Path) -> Tx:
    """Runs ``tx`` in a home of its own, where the extension is added."""
    home = tmp_path / "home"
    home.mkdir()
    command = Path(sys.executable).with_name("tx.exe" if sys.platform == "win32" else "tx")
    env = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), "TX_STATEDIR": str(home / "tx")}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*arguments: str | Path, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [command, *map(str, arguments)], capture_output=True, text=True, check=False, env=env, timeout=120
        )
        assert done.returncode == exit_code, done.stderr
        return done

    run("config", "extensions", "add", "imgmatch.exchange.tx")
    return run


def on_disk(folder: Path, name: str, image: Image.Image, **options: Any) -> Path:  # noqa: ANN401 -- Pillow's
    image.save(folder / name, **options)
    return folder / name


def partner_list(tx: Tx, folder: Path, *lines: str, name: str = "partner") -> Path:
    """A partner's list, fetched."""
    path = folder / f"{name}.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    tx("config", "collab", "edit", "local_file", "--create", name, "--filename", path, "--signal-type", OURS)
    return path


def value(image: Path) -> str:
    return ImgmatchPdqSignal.hash_from_file(image)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_extension_is_listed_and_removed_as_any_other(tx: Tx) -> None:
    assert f"{OURS} - ImgmatchPdqSignal" in tx("config", "extensions", "list").stdout
    tx("config", "extensions", "remove", "imgmatch.exchange.tx")
    assert OURS not in tx("config", "extensions", "list").stdout


@pytest.mark.slow
def test_tx_hashes_a_photo_to_a_plain_pdq_value_beside_its_own(tx: Tx, tmp_path: Path) -> None:
    photo = on_disk(tmp_path, "photo.png", photos.picture(1, (400, 300)))
    by_name = dict(line.split() for line in tx("hash", "photo", photo).stdout.splitlines())
    assert set(by_name) == {"pdq", OURS}
    assert ImgmatchPdqSignal.compare_hash(by_name["pdq"], by_name[OURS]).distance.distance <= 2
    assert by_name[OURS] == value(photo)


@pytest.mark.slow
def test_tx_matches_a_copy_and_a_mirrored_one_and_no_stranger(tx: Tx, tmp_path: Path) -> None:
    known = photos.picture(1)
    listed = [value(on_disk(tmp_path, "known.png", known)), value(on_disk(tmp_path, "other.png", photos.picture(2)))]
    partner_list(tx, tmp_path, *listed)
    tx("fetch")
    copy = on_disk(tmp_path, "copy.jpg", known, quality=30)
    mirrored = on_disk(tmp_path, "mirrored.jpg", ImageOps.mirror(known))
    stranger = on_disk(tmp_path, "stranger.jpg", photos.picture(3))
    for photo in (copy, mirrored):
        (line,) = tx("match", "photo", photo).stdout.splitlines()
        name, distance, *rest = line.split()
        assert (name, rest) == (OURS, ["(partner)", "INVESTIGATION_SEED"])
        assert int(distance) <= 12
    assert tx("match", "photo", stranger).stdout == ""


@pytest.mark.slow
def test_tx_matches_values_from_a_file_in_either_case(tx: Tx, tmp_path: Path) -> None:
    known = "f" * 48 + "0" * 16
    partner_list(tx, tmp_path, known)
    tx("fetch")
    asked = tmp_path / "asked.txt"
    asked.write_text(f"{known.upper()}\n\n{'0' * 64}\n{'f' * 47}e{'0' * 16}\n")
    assert tx("match", "-A", "-S", OURS, "-H", "photo", asked).stdout.splitlines() == [
        f"{OURS} {bits} (partner) INVESTIGATION_SEED" for bits in (0, 1)
    ]


@pytest.mark.slow
def test_tx_names_every_partner_that_has_a_value(tx: Tx, tmp_path: Path) -> None:
    photo = on_disk(tmp_path, "photo.png", photos.picture(1))
    for name in ("one", "two"):
        partner_list(tx, tmp_path, value(photo), name=name)
    tx("fetch")
    assert sorted(line.split()[2] for line in tx("match", "photo", photo).stdout.splitlines()) == ["(one)", "(two)"]


@pytest.mark.slow
def test_a_broken_line_of_a_list_does_not_cost_the_others(tx: Tx, tmp_path: Path) -> None:
    photo = on_disk(tmp_path, "photo.png", photos.picture(1))
    partner_list(tx, tmp_path, "cafe", value(photo), "z" * 64)
    tx("fetch")
    assert tx("match", "photo", photo).stdout.startswith(f"{OURS} 0 (partner)")


@pytest.mark.slow
def test_a_photo_that_cannot_be_used_matches_nothing_and_a_turned_one_is_read_upright(tx: Tx, tmp_path: Path) -> None:
    upright = photos.picture(1)
    partner_list(tx, tmp_path, value(on_disk(tmp_path, "upright.png", upright)))
    tx("fetch")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned = on_disk(tmp_path, "turned.jpg", upright.rotate(90, expand=True), exif=exif)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    assert value(turned) == tx("hash", "-S", OURS, "photo", turned).stdout.split()[1]
    assert ImgmatchPdqSignal.compare_hash(value(turned), value(tmp_path / "upright.png")).distance.distance <= 6
    for photo in (broken, empty):
        assert tx("match", "-S", OURS, "photo", photo).stdout == ""
        assert tx("hash", "-S", OURS, "photo", photo).stdout == ""


@pytest.mark.slow
def test_tx_prints_what_it_has_fetched_as_a_csv_with_our_name(tx: Tx, tmp_path: Path) -> None:
    partner_list(tx, tmp_path, "0" * 64, "f" * 64)
    tx("fetch")
    lines = tx("dataset", "-P", "--csv").stdout.splitlines()
    assert lines[0] == "signal_type,signal_str,collab,category,tags"
    assert sorted(line.split(",")[:3] for line in lines[1:]) == [[OURS, digit * 64, "partner"] for digit in "0f"]


# -- the signal type --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("form", ["hashes", "tx"])
def test_what_is_exported_comes_back_from_tx_as_it_was(tx: Tx, tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(5)
    values = sorted(rng.integers(0, 256, 32, np.uint8).tobytes().hex() for _ in range(20))
    sent, back = tmp_path / "sent.txt", tmp_path / "back.csv"
    with Index.create(tmp_path / "ours") as index, sent.open("w", encoding="utf-8") as out:
        index.bank_lists.create("ours")
        for value in values:
            index.bank_lists.add_hash("ours", value)
        assert index.bank_lists.export_list("ours", out, form) == len(values)
    kinds = ("--signal-type", "pdq") if form == "hashes" else ()
    tx("config", "collab", "edit", "local_file", "--create", "ours", "--filename", sent, *kinds)
    tx("fetch")
    back.write_text(tx("dataset", "-P", "--csv").stdout, encoding="utf-8")
    with Index.create(tmp_path / "theirs") as index:
        done = index.bank_lists.import_list("back", back, ListOptions())
        assert (done.form, done.added, done.bad) == ("tx-csv", len(values), 0)
        assert sorted(one.pdq or "" for one in index.bank_lists.entries("back")) == values


def helper() -> Any:  # noqa: ANN401 -- a module without types
    """Their helper for tests of signal types: installed with the package, or in a checkout; the package ships none."""
    try:
        return import_module("threatexchange.signal_type.tests.signal_type_test_helper")
    except ImportError:
        checkout = os.environ.get("IMGMATCH_TX_CHECKOUT")
    if checkout is None:
        pytest.skip("the package ships no tests; IMGMATCH_TX_CHECKOUT names a checkout of python-threatexchange")
    file = Path(checkout) / "threatexchange" / "signal_type" / "tests" / "signal_type_test_helper.py"
    spec = spec_from_file_location("signal_type_test_helper", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_their_own_helper_for_signal_types_is_content() -> None:
    class Tests(helper().SignalTypeAutoTest):  # type: ignore[misc]
        TYPE = ImgmatchPdqSignal

        def get_validate_hash_cases(self) -> list[Any]:
            return [
                "0" * 64,
                ("F" * 64, "f" * 64),
                (f" {'a' * 64}\n", "a" * 64),
                *((text, ValueError) for text in ("", "a", "a" * 63, "a" * 65, "g" * 64)),
            ]

        def get_compare_hash_cases(self) -> list[Any]:
            zero = "0" * 64
            return [(zero, zero), (zero, "0" * 56 + "7fffffff"), (zero, "0" * 56 + "f" * 8, False)]

    tests = Tests()
    names = [name for name in dir(tests) if name.startswith("test_")]
    assert len(names) == 4
    for name in names:
        getattr(tests, name)()


def test_every_example_is_a_value_that_matches_itself_and_the_name_is_not_taken() -> None:
    assert [signal.get_name() for signal in TX_MANIFEST.signal_types] == [OURS]
    examples = ImgmatchPdqSignal.get_examples()
    assert len(examples) >= 3
    for example in examples:
        assert ImgmatchPdqSignal.validate_signal_str(example) == example
        compared = ImgmatchPdqSignal.compare_hash(example, example)
        assert (compared.match, compared.distance.distance) == (True, 0)


@pytest.mark.parametrize("text", ["", " ", "a" * 63, "a" * 65, "g" * 64, "a" * 32 + "\n" + "a" * 32, "é" * 64])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 lowercase hex digits"):
        ImgmatchPdqSignal.validate_signal_str(text)


def test_a_distance_of_31_is_a_match_and_one_of_32_is_none() -> None:
    zero = "0" * 64
    near = ImgmatchPdqSignal.compare_hash(zero, "0" * 56 + "fffffffe")
    far = ImgmatchPdqSignal.compare_hash(zero, "0" * 56 + "ffffffff")
    assert [(one.match, one.distance.distance) for one in (near, far)] == [(True, 31), (False, 32)]


def test_bytes_and_file_hash_alike_and_a_dull_photo_to_nothing(tmp_path: Path) -> None:
    photo = on_disk(tmp_path, "photo.png", photos.picture(1))
    hashed = ImgmatchPdqSignal.hash_from_bytes(photo.read_bytes())
    assert hashed == ImgmatchPdqSignal.hash_from_file(photo)
    assert ImgmatchPdqSignal.validate_signal_str(hashed) == hashed
    grey = np.full((300, 300), 128, np.uint8)
    grey[100:200, 100:200] += 9
    assert ImgmatchPdqSignal.hash_from_file(on_disk(tmp_path, "dull.png", Image.fromarray(grey))) == ""


# -- reach ------------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_their_index_and_ours_give_the_same_answers_for_the_shared_needles(shared: Path) -> None:
    needles, haystack = ((shared / "pdq" / f"{name}.txt").read_text().split() for name in ("needles", "haystack"))
    entries = [(signal, number) for number, signal in enumerate(haystack)]
    theirs, ours = PDQIndex.build(entries), BandedIndex.build(entries)
    found = 0
    for needle in needles:
        expected, answer = (
            sorted((match.similarity_info.distance, match.metadata) for match in index.query(needle))
            for index in (theirs, ours)
        )
        assert answer == expected
        found += len(answer)
    assert len(ours) == len(theirs) == len(haystack)
    assert found > len(needles)
