"""Disks that are full, folders that can't be written, repositories that are somebody else's: an error with advice, and
the published index goes on answering."""

import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cidx.api.errors import CidxError, Code
from cidx.index import indexer
from cidx.repository.repository import UserFolders
from cidx.repository.settings import IndexSettings
from cidx.store import layout
from cidx.store.fulltext import FullTextWriter
from cidx.text import embedder
from tests.daemon.kit import serving
from tests.kit import Ran, Tree, content

KB = 1024
PAGE, ROOM = 4 * KB, 32_000 * KB
QUIET = {"CIDX_DAEMON_AUTO_INDEX": "false"}
FIRST = {
    f"part{n % 5}/file{n}.py": "".join(f"def first_{n}_{i}(value):\n    return value + {i}\n\n\n" for i in range(60))
    for n in range(40)
}  # fmt: skip
SECOND = {path.replace("file", "more"): text.replace("first", "second") for path, text in FIRST.items()}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount, and give files to others")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")


class Disk:
    """A small file system of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        done = self._mount("-t", "tmpfs", "-o", "size=64m", "none")
        if done.returncode:
            pytest.skip(f"mounting is refused here: {done.stderr.strip()}")

    def leave(self, free_bytes: int) -> None:
        """Shrink it until so much is free."""
        done = self._mount("-o", f"remount,size={self.used() + free_bytes},nr_inodes=100000")
        assert done.returncode == 0, done.stderr

    def leave_no_files(self) -> None:
        found = os.statvfs(self.place)
        done = self._mount("-o", f"remount,nr_inodes={found.f_files - found.f_ffree}")
        assert done.returncode == 0, done.stderr

    def used(self) -> int:
        found = os.statvfs(self.place)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def make_read_only(self) -> None:
        assert self._mount("-o", "remount,ro").returncode == 0

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.place], check=True)

    def _mount(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["mount", *arguments, str(self.place)], capture_output=True, text=True, check=False
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    mounted = Disk(tmp_path / "disk")
    yield mounted
    mounted.close()


def current_content(tree: Tree) -> dict[str, Any]:
    with tree.snapshot() as snapshot:
        return content(snapshot)


def assert_equals_rebuild(tree: Tree) -> None:
    found = current_content(tree)
    shutil.rmtree(tree.repository.folder)
    tree.index()
    assert current_content(tree) == found


def assert_disk_full(ran: Ran) -> None:
    assert ran.code == 5, ran
    assert "[disk-full]" in ran.err
    assert "next: " in ran.err
    assert "Traceback" not in ran.err


def index_with(disk: Disk, free_bytes: int, tree: Tree, *, clear: bool) -> str:
    """Index in this process with so much room; the module that had too little, empty when none had."""
    disk.leave(free_bytes)
    job = indexer.Job(settings=IndexSettings(), embedder=embedder.packaged(), clear=clear)
    try:
        indexer.run(tree.repository, job)
    except CidxError as error:
        if error.code is not Code.DISK_FULL:
            raise
        frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
        return next(Path(f.filename).stem for f in reversed(frames) if "/cidx/" in f.filename)
    return ""


# Full disks


@as_root
@on_linux
@pytest.mark.parametrize("free_bytes", [0, 24 * KB, 200 * KB])
def test_a_first_index_on_a_full_disk(disk: Disk, free_bytes: int) -> None:
    tree = Tree(disk.place / "tree").write(FIRST).commit()
    disk.leave(free_bytes)
    assert_disk_full(tree.process("index"))
    ran = tree.process("query", "first")
    assert (ran.code, "[not-indexed]" in ran.err) == (3, True)
    disk.leave(ROOM)
    assert tree.process("index").code == 0
    assert_equals_rebuild(tree)


@as_root
@on_linux
@pytest.mark.parametrize("free_bytes", [0, 36 * KB, 160 * KB])
def test_an_update_on_a_full_disk_leaves_the_old_generation_answering(disk: Disk, free_bytes: int) -> None:
    tree = Tree(disk.place / "tree").write(FIRST).commit()
    tree.index()
    before = current_content(tree)
    tree.write(SECOND)
    disk.leave(free_bytes)
    assert_disk_full(tree.process("index"))
    for settings in ({}, QUIET):
        ran = tree.process("query", "--json", "first", **settings)
        assert ran.code == 0, ran
        assert (ran.json["generation"], ran.json["changed_files"]) == (1, len(SECOND))
    assert tree.process("query", "--fts", "zebra", **QUIET).code == 1
    assert tree.process("status").code == 0
    assert current_content(tree) == before
    disk.leave(ROOM)
    assert tree.process("index").code == 0
    assert_equals_rebuild(tree)


@as_root
@on_linux
def test_a_job_of_the_daemon_on_a_full_disk(disk: Disk) -> None:
    tree = Tree(disk.place / "tree").write(FIRST).commit()
    tree.index()
    before = current_content(tree)
    tree.write(SECOND)
    disk.leave(36 * KB)
    with serving(tree) as daemon:
        assert_disk_full(tree.process("index", XDG_RUNTIME_DIR=daemon.runtime))
        assert json.loads(daemon.ask("health"))["status"] == "degraded"
        ran = daemon.run("query", "--json", "first")
        assert (ran.code, ran.json["generation"]) == (0, 1)
        assert (ran.json["fresh"], ran.json.get("indexing")) == (False, None), (
            "what failed is not begun at once again"
        )
        assert current_content(tree) == before
        disk.leave(ROOM)
        assert tree.process("index", XDG_RUNTIME_DIR=daemon.runtime).code == 0
        assert json.loads(daemon.ask("health"))["status"] == "well"
    assert_equals_rebuild(tree)


@as_root
@on_linux
def test_a_disk_without_room_for_one_more_file(disk: Disk) -> None:
    """There are bytes left, but SQLite and tantivy can't make the files that they keep beside theirs."""
    tree = Tree(disk.place / "tree").write(FIRST).commit()
    tree.index()
    tree.write(SECOND)
    disk.leave_no_files()
    for ask in (("query", "--json", "first"), ("index",)) * 2:
        ran = tree.process(*ask, **QUIET)
        if ask == ("index",):
            assert_disk_full(ran)
        else:
            assert (ran.code, ran.json["generation"], ran.json["changed_files"]) == (0, 1, len(SECOND)), ran
    disk.leave(ROOM)
    assert tree.process("index").code == 0
    assert_equals_rebuild(tree)


@as_root
@on_linux
@pytest.mark.parametrize(("clear", "stride"), [(False, 16 * KB), (True, 48 * KB)])
def test_every_store_meets_the_full_disk(disk: Disk, clear: bool, stride: int) -> None:
    """From no room at all to just enough; none leaves anything half done."""
    tree = Tree(disk.place / "tree").write(FIRST).commit()
    met: list[str] = []
    free_bytes = 0
    for step in (stride, PAGE):
        tree.git("clean", "-fdxq")
        tree.index()
        before = current_content(tree)
        tree.write(SECOND)
        free_bytes = max(0, free_bytes - stride)
        while place := index_with(disk, free_bytes, tree, clear=clear):
            met.append(place)
            free_bytes += step
            assert current_content(tree) == before
            assert len([*tree.repository.index_folder.glob("base-*")]) == 1
        disk.leave(ROOM)
    assert {"vectors", "fulltext", "database"} <= set(met)
    # A new catalogue needs more than it keeps: what fits it leaves room for the pointer.
    assert not clear or met[-1] == "database"
    assert_equals_rebuild(tree)


@as_root
@on_linux
def test_full_text_that_outgrows_its_memory_meets_the_full_disk(disk: Disk) -> None:
    """tantivy then writes in a thread of its own, whose death it reports to somebody else."""
    writer = FullTextWriter(disk.place / "fulltext", create=True)
    disk.leave(200 * KB)

    def outgrow() -> None:
        for number in range(100_000):
            body = " ".join(f"word{number}x{part}" for part in range(20))
            writer.add(number, 1, body=body, symbol="", path="")

    with pytest.raises(OSError, match="No space left"):
        outgrow()
    writer.close()


@as_root
@on_linux
def test_a_pointer_that_does_not_fit_is_not_replaced(disk: Disk) -> None:
    index = disk.place / "index"
    index.mkdir()
    old, new = layout.new_base(index), layout.new_base(index)
    for base in (old, new):
        base.fulltext.mkdir()
    layout.publish(index, old)
    disk.leave(0)
    with pytest.raises(OSError, match="No space left"):
        layout.publish(index, new)
    assert layout.current(index) == old


@as_root
@on_linux
def test_a_folder_made_on_a_full_disk_is_hidden_from_git_later(disk: Disk) -> None:
    tree = Tree(disk.place / "tree").write({"a.py": "text\n"}).commit()
    disk.leave(0)
    assert_disk_full(tree.process("index"))
    disk.leave(ROOM)
    tree.index()
    assert tree.git("status", "--porcelain") == ""


# Folders that can't be used


def assert_kept_in_the_cache(tree: Tree) -> None:
    ran = tree.process("index")
    assert ran.code == 0, ran
    assert f"the index is kept in {tree.users.cache}" in ran.err
    assert tree.repository.folder.parent == tree.users.cache
    assert tree.process("query", "--quiet", "parse").out == "a.py:1-1\n"


@as_root
@on_linux
def test_a_read_only_file_system(disk: Disk, tmp_path: Path) -> None:
    tree = Tree(disk.place / "tree").write({"a.py": "def parse(): ...\n"}).commit()
    home = tmp_path / "home"
    tree.users = UserFolders(home=home, config=home / ".config" / "cidx", cache=home / ".cache" / "cidx")
    disk.make_read_only()
    assert_kept_in_the_cache(tree)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tree: Tree) -> None:
    tree.write({"a.py": "def parse(): ...\n"}).commit()
    tree.root.chmod(0o555)
    try:
        assert_kept_in_the_cache(tree)
    finally:
        tree.root.chmod(0o755)


def track(tree: Tree) -> None:
    tree.write({".code-indexer/config.json": "{}"})
    tree.git("add", "-f", ".code-indexer/config.json")


def link(tree: Tree) -> None:
    elsewhere = tree.root.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tree.root / ".code-indexer").symlink_to(elsewhere)


def open_to_others(tree: Tree) -> None:
    (tree.root / ".code-indexer").mkdir()
    (tree.root / ".code-indexer").chmod(0o770)


def give_away(tree: Tree) -> None:
    (tree.root / ".code-indexer").mkdir(mode=0o700)
    os.chown(tree.root / ".code-indexer", 1234, 1234)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (track, "is tracked by git"),
        (link, "is not a folder"),
        (open_to_others, "can be written by others"),
        pytest.param(give_away, "belongs to somebody else", marks=as_root),
    ],
)
def test_a_folder_that_others_had_their_hands_in(tree: Tree, make: Callable[[Tree], None], why: str) -> None:
    """It may have come with the repository: nothing in it is read or written."""
    tree.write({"a.py": "def parse(): ...\n"}).commit()
    make(tree)
    folder = tree.root / ".code-indexer"
    inside = sorted(folder.rglob("*"))
    assert_kept_in_the_cache(tree)
    assert why in tree.process("index").err
    assert sorted(folder.rglob("*")) == inside


# Somebody else's repository


@as_root
@pytest.mark.parametrize("argv", [("index",), ("query", "parse")])
def test_a_repository_that_git_does_not_trust(tree: Tree, argv: tuple[str, ...]) -> None:
    tree.write({"a.py": "def parse(): ...\n"}).commit().index()
    for path in (tree.root, *tree.root.rglob("*")):
        if ".code-indexer" not in path.parts:
            os.chown(path, 1234, 1234)
    ran = tree.process(*argv)
    assert ran.code == 3, ran
    assert "[git-refused]" in ran.err
    assert f"next: if you trust it: git config --global --add safe.directory {tree.root}" in ran.err
