"""Where a repository keeps what is cidx's own: in the root when that is safe, else in the user's cache."""

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Code
from cidx.repository import repository
from tests.kit import Tree


def elsewhere(tree: Tree) -> str:
    found = tree.repository
    if found.why_elsewhere:
        assert found.folder == tree.users.cache / found.id
    else:
        assert found.folder == tree.root / ".code-indexer"
    return found.why_elsewhere


def test_the_folder_is_in_the_root(tree: Tree) -> None:
    assert elsewhere(tree) == ""
    repository.prepare(tree.repository)
    assert elsewhere(tree) == ""
    assert (tree.root / ".code-indexer").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes neither")
@pytest.mark.parametrize(
    ("place", "why"),
    [(os.fsdecode(b"caf\xe9"), "not UTF-8"), ("/".join(["deep" * 50] * 15), "more than 440 bytes")],
    ids=["bytes", "deep"],
)
def test_a_root_that_others_can_not_name_has_its_index_in_the_cache(
    tmp_path: Path, place: str, why: str
) -> None:
    """SQLite and tantivy would refuse; git and the system do not."""
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    tree = Tree(tmp_path / place).write({"a.py": "def needle(): ...\n"})
    tree.users = replace(tree.users, cache=tmp_path / "cache")
    assert why in elsewhere(tree)
    tree.index()
    assert tree.run("query", "-q", "needle").out == "a.py:1-1\n"


def test_a_link_is_not_used(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tree.root / ".code-indexer").symlink_to(tmp_path / "target")
    assert "is not a folder" in elsewhere(tree)


def test_a_folder_that_others_can_write_is_not_used(tree: Tree) -> None:
    (tree.root / ".code-indexer").mkdir()
    (tree.root / ".code-indexer").chmod(0o770)
    assert "written by others" in elsewhere(tree)


def test_a_folder_that_git_tracks_is_not_used(tree: Tree) -> None:
    tree.write({".code-indexer/config.json": '{"index": {"max_file_bytes": 5}}', "a.py": "needle = 1\n"})
    (tree.root / ".code-indexer").chmod(0o700)
    assert elsewhere(tree) == ""
    tree.git("add", "-f", ".code-indexer/config.json")
    assert "tracked by git" in elsewhere(tree)
    ran = tree.run("index")
    assert ran.code == 0
    assert f"the index is kept in {tree.users.cache}" in ran.err
    assert tree.paths("needle") == ["a.py"]
    assert os.listdir(tree.root / ".code-indexer") == ["config.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(tree: Tree) -> None:
    (tree.root / ".code-indexer").mkdir(mode=0o700)
    os.chown(tree.root / ".code-indexer", 12345, 12345)
    assert "somebody else" in elsewhere(tree)


def test_no_repository_here(plain_tree: Tree) -> None:
    with pytest.raises(CidxError) as caught:
        _ = plain_tree.repository
    assert caught.value.code is Code.NOT_A_REPOSITORY


def test_the_size_of_an_index_is_known_while_its_files_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "catalogue").write_bytes(b"x" * 1000)
    passing, ended = tmp_path / "base" / "passing", threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            passing.touch()
            passing.unlink()

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        assert {repository.index_bytes(tmp_path) for _ in range(3000)} == {1000}
    finally:
        ended.set()
        other.join()
