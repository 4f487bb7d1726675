"""A minute of mixed load with edits; `python tests/bench/soak.py` does it for an hour."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.bench import soak
from tests.kit import Tree

CHECKOUT = Path(__file__).parents[2]
SECONDS, RATE = 60.0, 12.0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(400)
def test_a_minute_of_everything_fails_nowhere_and_takes_no_more_memory(tree: Tree) -> None:
    shutil.copytree(
        CHECKOUT / "cidx", tree.root / "sources", ignore=shutil.ignore_patterns("__pycache__", "*.bin")
    )
    tree.commit()
    tree.index()
    found = soak.judge(soak.run(tree, seconds=SECONDS, rate=RATE))
    assert not found.errors
    assert found.asked > SECONDS * RATE / 2
    assert found.edits > SECONDS / soak.EDIT_S / 2
    # Other tests take their share of the machine, now more and now less.
    assert found.growth_mb < 8, found
    assert found.p99_last_ms < 4 * found.p99_first_ms + 100, found
