from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules['threatexchange'] = None; "


def test_without_threatexchange_the_extension_says_what_is_missing() -> None:
    code = f"{WITHOUT}import imgmatch.exchange.tx"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: imgmatch.exchange.tx is an extension of tx and needs it: pip install")


@pytest.mark.slow
def test_nothing_else_of_imgmatch_needs_threatexchange() -> None:
    code = f"{WITHOUT}import imgmatch.exchange, imgmatch.cli.main, imgmatch.web, imgmatch.index, imgmatch.client"
    subprocess.run([sys.executable, "-c", code], check=True)
