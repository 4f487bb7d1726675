"""What every test may use."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit import Tree

# It waits more than it works, so others run beside it, if it begins before them.
LONGEST = "tests/faults/test_soak.py"


def pytest_configure() -> None:
    """What a shell starts in the background inherits that SIGINT is ignored; tests interrupt what they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a third of the time, tests wait for daemons that come and go."""
    return 1 + (len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for what holds sockets: their paths have at most 107 bytes, on macOS 103."""
    with tempfile.TemporaryDirectory(prefix="cidx-") as folder:
        yield Path(folder)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty git repository with a home of its own."""
    return Tree(tmp_path)


@pytest.fixture
def plain_tree(tmp_path: Path) -> Tree:
    """An empty folder that no version control knows."""
    return Tree(tmp_path, git=False)


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[[str], Tree]:
    return lambda name: Tree(tmp_path / name)
