"""What happens in a tree is noticed, by path where that will do."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cidx.index import watch as watching_module
from cidx.index.fsevents import FSEvents
from cidx.index.watch import EVERYTHING, Recorder, Touched, Watch
from cidx.repository import repository as repositories
from tests.kit import Tree

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def watching(tree: Tree, recorder: "Callable[[], Recorder] | None" = None) -> Watch:
    watch = Watch(repositories.at(tree.root, tree.users), recorder)
    assert watch.touched() == EVERYTHING
    return watch


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path).write(
        {
            "a.py": "a = 1\n",
            "src/b.py": "b = 1\n",
            "src/deep/c.py": "c = 1\n",
            ".gitignore": "build/\n*.log\n",
        }
    )
    return tree.commit()


@pytest.fixture
def watch(tree: Tree) -> Iterator[Watch]:
    watch = watching(tree)
    yield watch
    watch.close()


def paths(*names: str) -> Touched:
    return Touched(frozenset(map(os.fsencode, names)))


@LINUX
def test_a_quiet_tree_says_nothing(watch: Watch) -> None:
    assert not watch.touched()
    assert not watch.wait(0)


@LINUX
def test_files_that_are_written_made_moved_and_deleted_are_named(tree: Tree, watch: Watch) -> None:
    tree.write({"src/b.py": "b = 2\n", "new.py": "n = 1\n"})
    assert watch.wait(0)
    assert watch.touched() == paths("src/b.py", "new.py")
    os.rename(tree.root / "a.py", tree.root / "src" / "z.py")
    (tree.root / "src" / "deep" / "c.py").unlink()
    assert watch.touched() == paths("a.py", "src/z.py", "src/deep/c.py")
    assert not watch.touched()


@LINUX
def test_a_write_to_an_open_file_is_noticed_before_it_is_closed(tree: Tree, watch: Watch) -> None:
    with (tree.root / "a.py").open("a") as stream:
        stream.write("more\n")
        stream.flush()
        assert watch.touched() == paths("a.py")


@LINUX
def test_what_has_changed_but_its_time_is_noticed(tree: Tree, watch: Watch) -> None:
    os.utime(tree.root / "a.py", (1, 1))
    assert watch.touched() == paths("a.py")


@LINUX
def test_a_new_folder_makes_everything_be_looked_at_and_is_watched_from_then_on(
    tree: Tree, watch: Watch
) -> None:
    tree.write({"lib/inner/d.py": "d = 1\n"})
    assert watch.touched().everything
    tree.write({"lib/inner/d.py": "d = 2\n"})
    assert watch.touched() == paths("lib/inner/d.py")


@LINUX
def test_an_empty_folder_is_watched_from_the_beginning(tree: Tree) -> None:
    (tree.root / "empty" / "inside").mkdir(parents=True)
    watch = watching(tree)
    tree.write({"empty/inside/e.py": "e = 1\n"})
    assert watch.touched() == paths("empty/inside/e.py")
    watch.close()


@LINUX
def test_a_moved_folder_is_known_by_its_new_name(tree: Tree, watch: Watch) -> None:
    os.rename(tree.root / "src", tree.root / "source")
    assert watch.touched().everything
    tree.write({"source/deep/c.py": "c = 2\n"})
    assert watch.touched() == paths("source/deep/c.py")
    shutil.rmtree(tree.root / "source")
    assert watch.touched().everything


@LINUX
def test_a_storm_in_an_ignored_folder_is_not_heard(tree: Tree, watch: Watch) -> None:
    before = len(watch)
    tree.write({f"build/{number}/x.o": "x" for number in range(50)})
    assert not watch.touched()
    shutil.rmtree(tree.root / "build")
    assert not watch.touched()
    assert len(watch) == before


@LINUX
def test_git_is_asked_once_about_all_folders_of_a_storm(
    tree: Tree, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of git for each of them would take longer than the storm; none is needed while it lasts."""
    asked: list[str] = []
    ask = watching_module._ask_git
    monkeypatch.setattr(
        watching_module, "_ask_git", lambda *words, **more: asked.append(words[1]) or ask(*words, **more)
    )
    for number in range(20):
        tree.write({f"new{number}/x.py": "x = 1\n", f"build/{number}/x.o": "x"})
        watch.settle(0)
    assert not asked
    assert watch.touched().everything
    assert asked == ["check-ignore"]
    tree.write({"new7/x.py": "x = 2\n"})
    assert watch.touched() == paths("new7/x.py")


@LINUX
def test_a_folder_that_is_no_longer_ignored_is_watched(tree: Tree, watch: Watch) -> None:
    tree.write({"build/x.py": "x = 1\n"})
    assert not watch.touched()
    tree.write({".gitignore": "*.log\n"})
    assert watch.touched().everything
    tree.write({"build/x.py": "x = 2\n"})
    assert watch.touched() == paths("build/x.py")


@LINUX
def test_what_is_passed_over_is_not_named_until_rules_change(tree: Tree, watch: Watch) -> None:
    watch.pass_over([b"noise.log"])
    tree.write({"noise.log": "x", "a.py": "a = 3\n"})
    assert watch.touched() == paths("a.py")
    tree.write({".gitignore": ""})
    assert watch.touched().everything
    tree.write({"noise.log": "y"})
    assert watch.touched() == paths("noise.log")


@LINUX
def test_our_own_files_are_not_heard(tree: Tree, watch: Watch) -> None:
    tree.run("index")
    assert not watch.touched()


@LINUX
def test_a_file_that_git_begins_to_track_makes_everything_be_looked_at(tree: Tree, watch: Watch) -> None:
    tree.write({"kept.log": "x"})
    watch.touched()
    tree.git("add", "-f", "kept.log")
    assert watch.touched().everything


@LINUX
def test_a_worktree_has_an_index_of_its_own(tree: Tree, tmp_path: Path) -> None:
    tree.git("worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    watch = Watch(repositories.at(tmp_path / "other", tree.users))
    watch.touched()
    (tmp_path / "other" / "x.log").write_text("x")
    subprocess.run(["git", "add", "-f", "x.log"], cwd=tmp_path / "other", check=True)
    assert watch.touched().everything
    watch.close()


@LINUX
def test_git_in_the_middle_of_something_is_seen(tree: Tree, watch: Watch) -> None:
    assert not watch.is_git_busy
    (tree.root / ".git" / "index.lock").touch()
    assert watch.is_git_busy


@LINUX
def test_lost_events_make_everything_be_looked_at(tree: Tree, watch: Watch) -> None:
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if room > 100_000:
        pytest.skip("too much room to fill")
    for number in range(room // 2):
        os.close(os.open(tree.root / f"{number % 7}.py", os.O_CREAT | os.O_WRONLY | os.O_TRUNC))
        os.unlink(tree.root / f"{number % 7}.py")
    assert watch.touched().everything
    tree.write({"a.py": "a = 4\n"})
    assert watch.touched() == paths("a.py")


@LINUX
def test_without_git_the_ignore_files_tell(tmp_path: Path) -> None:
    tree = Tree(tmp_path, git=False).write({"a.py": "a", "out/x.py": "x", ".gitignore": "out/\n"})
    watch = watching(tree)
    tree.write({"out/x.py": "y", "a.py": "b"})
    assert watch.touched() == paths("a.py")
    watch.close()


@LINUX
def test_stopping_ends_a_wait(watch: Watch) -> None:
    threading.Timer(0.05, watch.stop).start()
    assert not watch.wait(20)


def test_the_way_of_macos_finds_the_same(tree: Tree) -> None:
    watch = watching(tree, FSEvents)
    tree.write({"src/b.py": "b = 2\n", "build/x.o": "x"})
    os.rename(tree.root / "a.py", tree.root / "src" / "z.py")
    wanted, found = paths("src/b.py", "a.py", "src/z.py"), Touched()
    until = time.monotonic() + 20
    while not (found.everything or wanted.paths <= found.paths) and time.monotonic() < until:
        watch.wait(0.1)
        found |= watch.touched()
    assert found.everything or wanted.paths <= found.paths
    watch.close()
