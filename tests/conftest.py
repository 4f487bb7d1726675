"""What every test may use."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit import Tree


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
