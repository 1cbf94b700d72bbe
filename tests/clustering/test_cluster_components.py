from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from imgmatch.clustering.components import component_labels


def test_nodes_that_hang_together_have_one_number_and_a_lonely_one_has_its_own() -> None:
    labels = component_labels(np.array([0, 2]), np.array([3, 5]), 6).tolist()
    assert labels[0] == labels[3]
    assert labels[2] == labels[5]
    assert len(set(labels)) == 4


def test_no_edges_leave_every_node_alone() -> None:
    none = np.empty(0, np.int64)
    assert sorted(component_labels(none, none, 3).tolist()) == [0, 1, 2]


@pytest.mark.slow
def test_an_index_is_opened_without_what_only_runs_need() -> None:
    program = "import sys, imgmatch.index\nassert not any(name.startswith('scipy.sparse') for name in sys.modules)\n"
    subprocess.run([sys.executable, "-c", program], check=True)
