"""Refused writes on a small scale; `python tests/faults/refusals.py` refuses every one."""

import errno
import importlib.util
import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.faults.refusals import SCENARIOS, SLUGS, Stage

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="preloads as Linux does"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler"),
]
RUNS = 3
# The files that are written of a graph.
GRAPH = ("/graph.dump", "/graph.new", "/graph")


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "graph"])
def test_a_write_that_is_refused_leaves_the_old_index_or_the_new_one(tmp_path: Path, scenario: str) -> None:
    stage = Stage(tmp_path, scenario)
    dice = random.Random(1)
    codes = set()
    for number in SLUGS:
        for at in dice.sample(range(1, stage.calls * 9 // 10), RUNS):
            found = stage.refuse(at, number)
            assert found.refused, (at, number)
            assert not found.wrong, (at, number, found)
            codes.add(found.ran.code)
    assert 5 in codes


@pytest.mark.skipif(importlib.util.find_spec("hnswlib") is None, reason="hnswlib is not installed")
def test_a_graph_that_can_not_be_written_leaves_the_generation_without_it(tmp_path: Path) -> None:
    """It is written last, and what is published by then answers."""
    stage = Stage(tmp_path, "graph")
    for file in GRAPH:
        for number in SLUGS:
            found = stage.refuse(1, number, only=file)
            assert found.refused.endswith(file)
            assert not found.wrong, (file, found)


def test_a_rebuild_whose_last_step_fails_is_not_deleted(tmp_path: Path) -> None:
    """The pointer names it already, though the system does not promise to remember that."""
    found = Stage(tmp_path, "clear").refuse(1, errno.EIO, only="fsync /index")
    assert (found.refused, found.wrong) == ("fsync /index", "")
    assert (found.ran.code, "[io-error]" in found.ran.err) == (5, True)
