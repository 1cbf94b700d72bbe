from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest

from imgmatch.catalog.banks import KNOWN_STOLEN, add_to_bank
from imgmatch.catalog.features import features_by_id
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.clustering.nodes import Nodes, read_nodes
from imgmatch.index import Index
from imgmatch.model import Depth, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIZE = (160, 200)
WHO = {"p1": ("a", 1), "p2": ("b", 1), "p3": ("c", 1), "p4": ("a", 2), "p5": ("a", 2), "p6": ("d", 3)}
"""Which account shows which picture."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Pictures 1 (on three accounts), 2 (twice on one), 3 (on one), and 4, which a bank holds and nobody shows."""
    home = tmp_path_factory.mktemp("nodes")
    with Index.create(home / "index") as index:
        planted = []
        for photo_id, (account, picture) in (WHO | {"p7": ("e", 4), "p8": ("f", 5)}).items():
            (home / f"{photo_id}.jpg").write_bytes(photos.jpeg(photos.picture(picture, SIZE)))
            planted.append(NewPhoto.at(home / f"{photo_id}.jpg", account=account, photo_id=photo_id))
        index.add(planted)
        with index.parts.catalog.write() as session:
            add_to_bank(session, KNOWN_STOLEN, ["p7", "p1"], "phash")
        index.remove(account="e")
        index.remove(account="f")
        yield index


def read(index: Index, split: Mapping[bytes, frozenset[str]] | None = None) -> Nodes:
    with index.parts.catalog.read() as session:
        return read_nodes(session, "phash", split or {})


def test_there_is_one_node_for_each_fingerprint_with_the_accounts_behind_it(index: Index) -> None:
    nodes = read(index)
    assert len(nodes) == 4
    assert nodes.fingerprints.tolist() == sorted(nodes.fingerprints.tolist())
    assert nodes.weights.tolist() == [3, 1, 1, 1]
    assert nodes.bits.shape == (4, 32)
    assert nodes.bits.dtype == np.uint8
    assert (nodes.only, nodes.split) == ({}, {})


def test_each_picture_with_features_leads_to_its_node_also_one_that_only_a_bank_holds(index: Index) -> None:
    nodes = read(index)
    assert sorted(nodes.pictures.values()) == [0, 1, 2, 3]
    assert list(nodes.pictures) == sorted(nodes.pictures)
    assert {row: nodes.features[node] for row, node in nodes.pictures.items()} == {row: row for row in nodes.pictures}
    with index.parts.catalog.read() as session:
        assert features_by_id(session, nodes.pictures).keys() == set(nodes.pictures)


def test_a_fingerprint_that_no_photo_and_no_bank_has_is_no_node(index: Index) -> None:
    before = read(index)
    with index.parts.catalog.write() as session:
        intern_fingerprints(session, "phash", [b"\x5a" * 32])
    assert read(index).fingerprints.tolist() == before.fingerprints.tolist()


def test_accounts_kept_apart_get_nodes_of_their_own_beside_the_one_for_all_others(index: Index) -> None:
    plain = read(index)
    first = plain.bits[0].tobytes()
    nodes = read(index, {first: frozenset({"c", "b"}), b"\0" * 32: frozenset({"x"})})
    assert len(nodes) == 6
    assert nodes.fingerprints[:3].tolist() == [plain.fingerprints[0]] * 3
    assert nodes.only == {1: "b", 2: "c"}
    assert nodes.split == {int(plain.fingerprints[0]): frozenset({"b", "c"})}
    assert nodes.weights[1:].tolist() == [1] * 5
    assert list(nodes.of_picture(0)) == [0, 1, 2]
    assert [list(nodes.of_picture(node)) for node in (3, 4, 5)] == [[3], [4], [5]]
    assert sorted(nodes.pictures.values()) == [0, 3, 4, 5]
    assert nodes.features[:3].tolist() == [nodes.features[0]] * 3


def test_every_account_belongs_to_exactly_one_node_of_a_picture(index: Index) -> None:
    nodes = read(index, {read(index).bits[0].tobytes(): frozenset({"b", "c"})})
    holders = {account: [node for node in nodes.of_picture(0) if nodes.holds(node, account)] for account in "abcx"}
    assert holders == {"a": [0], "b": [1], "c": [2], "x": [0]}
    assert all(nodes.holds(3, account) for account in "abcx")


def test_an_empty_index_has_no_nodes(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index") as empty:
        nodes = read(empty)
    assert (len(nodes), nodes.bits.shape, nodes.pictures) == (0, (0, 32), {})
    assert all(one.dtype == np.int64 for one in (nodes.fingerprints, nodes.weights, nodes.features))


def test_photos_scanned_for_fingerprints_alone_are_nodes_without_features(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(photos.jpeg(photos.picture(1, SIZE)))
    with Index.create(tmp_path / "index", depth=Depth.FINGERPRINT) as index:
        index.add([NewPhoto.at(tmp_path / "1.jpg", account="a")])
        nodes = read(index)
    assert (nodes.features.tolist(), nodes.pictures, nodes.weights.tolist()) == ([-1], {}, [1])
