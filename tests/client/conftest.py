"""The command as installed, once for all tests of the client."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.kit import Installed, install
from tests.kit import Tree


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture
def cidx(command: Path, tree: Tree) -> Iterator[Installed]:
    """The command for an empty repository, and no daemon."""
    with tempfile.TemporaryDirectory(prefix="cidx-") as runtime:
        yield Installed(command, tree, Path(runtime))
