"""Clients and daemons of different ages and environments, side by side: something answers, and nothing thrashes."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.kit import CHECKOUT, Installed, install
from tests.client.test_real_daemon import FILES, Running
from tests.kit import Tree

# The first commit that reads the present format of the index.
OLDER = "bc9120a"


def packages_of(command: Path) -> Path:
    (found,) = command.parent.parent.glob("lib/python*/site-packages/cidx")
    return found


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("newer") / "venv", copy=True)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real older commit, installed beside."""
    command = install(tmp_path_factory.mktemp("older") / "venv", copy=True)
    archive = subprocess.run(
        ["git", "archive", OLDER, "cidx"], cwd=CHECKOUT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"the history of this checkout does not reach back to {OLDER}")
    packages = packages_of(command)
    shutil.rmtree(packages)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(packages.parent, filter="data")
    return command


@pytest.fixture
def runtime() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cidx-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write(FILES).commit()
    tree.index()
    return tree


def answer(cidx: Installed) -> tuple[str, str]:
    """Who answered, and what was said on stderr."""
    ended = cidx("query", "--json", "needle")
    assert ended.code == 0, ended
    found = json.loads(ended.out)
    assert [hit["path"] for hit in found["hits"]], found
    return found["served_by"], ended.err.decode()


def both(first: Path, second: Path, tree: Tree, runtime: Path) -> tuple[Installed, Installed]:
    one = Installed(first, tree, runtime)
    (runtime / "cidx").rmdir()
    return one, Installed(second, tree, runtime)


@pytest.mark.parametrize("age", ["older client", "older daemon"])
def test_another_version_of_the_same_protocol_is_understood(
    age: str, newer: Path, older: Path, indexed: Tree, runtime: Path
) -> None:
    commands = (newer, older) if age == "older client" else (older, newer)
    daemon, client = both(*commands, indexed, runtime)
    with Running(daemon):
        assert answer(client) == ("daemon", "")


def test_two_environments_taking_turns_do_not_replace_each_others_daemon(
    newer: Path, older: Path, indexed: Tree, runtime: Path
) -> None:
    one, other = both(newer, older, indexed, runtime)
    with Running(one) as daemon:
        for _ in range(5):
            assert answer(one) == answer(other) == ("daemon", "")
        assert daemon.poll() is None


@pytest.mark.parametrize("age", ["older client", "older daemon"])
def test_another_protocol_is_answered_in_the_process_and_said_in_one_line(
    age: str, newer: Path, indexed: Tree, runtime: Path, tmp_path: Path
) -> None:
    later = install(tmp_path / "later", copy=True)
    versions = packages_of(later) / "api/versions.py"
    versions.write_text(versions.read_text().replace("PROTOCOL = 1", "PROTOCOL = 2"))
    commands = (later, newer) if age == "older client" else (newer, later)
    daemon, client = both(*commands, indexed, runtime)
    with Running(daemon) as running:
        served_by, said = answer(client)
        assert served_by == "process"
        assert "protocol" in said
        assert len(said.splitlines()) == 1
        # Nothing is bricked: the daemon's own command still reaches it, and it ends when asked to.
        assert answer(daemon)[0] == "daemon"
        assert running.poll() is None
