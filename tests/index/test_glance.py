"""Whether there is nothing to do is found out cheaply, and never wrongly."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cidx.index import glance
from cidx.index.files import Listing
from cidx.index.progress import Summary
from cidx.repository.settings import IndexSettings
from cidx.text import model
from tests.kit import Tree


def look(tree: Tree, *, version: str = "", **settings: int) -> Summary | None:
    with Listing(tree.repository) as listing:
        return glance.unchanged(
            tree.repository, listing, IndexSettings(**settings), model=version or model.version()
        )


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    """Whose files are old enough for their stamps to be trusted."""
    tree.write({"a.py": "def needle(): ...\n", "b.bin": b"\0"})
    return settle(tree)


def settle(tree: Tree) -> Tree:
    time.sleep(0.05)
    tree.index()
    return tree


def test_it_says_what_a_whole_run_would(indexed: Tree) -> None:
    found = look(indexed)
    assert found is not None
    fields = found.to_json() | {"took_s": 0, "publish_s": 0}
    with Listing(indexed.repository):
        (indexed.root / "a.py").touch()
    assert indexed.index() | {"took_s": 0, "publish_s": 0} == fields | {"repository": str(indexed.root)}


def test_any_change_is_for_a_whole_run(indexed: Tree) -> None:
    assert look(indexed, max_file_bytes=5000) is None
    assert look(indexed, version="another") is None
    indexed.write({"a.py": "def other(): ...\n"})
    assert look(indexed) is None
    assert look(settle(indexed)) is not None
    (indexed.root / "a.py").unlink()
    assert look(indexed) is None


def test_a_run_beside_a_reader_seals_what_an_earlier_one_could_not(indexed: Tree) -> None:
    """As a daemon reads as long as it lives: the generation that it knows is in SQLite's file, if not in that alone."""
    old = indexed.snapshot()
    settle(indexed.write({"a.py": "def other(): ...\n"}))
    assert look(indexed) is None
    with indexed.snapshot():
        old.close()
        assert look(indexed) is None
        indexed.index()
        assert look(indexed) is not None
    assert look(indexed) is not None


def test_damage_is_for_a_whole_run(indexed: Tree) -> None:
    vectors = next(indexed.repository.index_folder.glob("base-*/vectors"))
    data = bytearray(vectors.read_bytes())
    data[-20] ^= 1
    vectors.write_bytes(data)
    assert look(indexed) is None
    assert "not as it was written" in indexed.index()["why_rebuilt"]


def test_what_no_whole_run_has_ended_is_for_one(indexed: Tree) -> None:
    indexed.write({"a.py": "def other(): ...\n"})
    indexed.query("other")
    assert look(indexed) is None


def test_nothing_heavy_is_imported(indexed: Tree) -> None:
    code = (
        "import sys, runpy\nsys.argv = ['cidx', '--standalone', 'index']\n"
        "heavy = {'numpy', 'tantivy', 'tree_sitter', 'rich'}\n"
        "import os; os._exit = lambda code: print(sorted(heavy & set(sys.modules)))\n"
        "runpy.run_module('cidx', run_name='__main__')\n"
    )
    environment = indexed.process_environment(PYTHONPATH=str(Path(__file__).parents[2]))
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=indexed.root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("up to date: generation 1 in 0.")
    assert ran.stdout.endswith("[]\n")
