"""The daemon knows what has changed: before it answers, and mostly before it is asked."""

import itertools
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cidx.repository import lock
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system tells a moment later")


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({"a.py": "def needle():\n    return 1\n", "src/b.py": "def other():\n    return 2\n"})
    tree.write({".gitignore": "*.log\n"}).commit()
    tree.index()
    return tree


def ask(daemon: Daemon, text: str) -> Any:
    return json.loads(daemon.ask("query_fts", str(daemon.tree.root), text))


def fresh(daemon: Daemon, text: str) -> Any:
    answer = ask(daemon, text)
    return answer if answer["fresh"] else None


def paths(answer: Any) -> list[str]:
    assert answer["fresh"], answer
    return sorted(hit["path"] for hit in answer["hits"])


def until(condition: Any) -> Any:
    """What the condition gives as soon as that is true; it may take a busy machine a while."""
    end = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def looks(daemon: Daemon) -> int:
    return int(json.loads(daemon.ask("get_status"))["events"]["looks"])


def watched(daemon: Daemon) -> int:
    """Ask until the tree is watched, and once more, after which it has been looked at; how often by then."""
    ask(daemon, "needle")
    assert until(lambda: json.loads(daemon.ask("get_status"))["cache"]["watched_folders"])
    ask(daemon, "needle")
    return looks(daemon)


@LINUX
def test_an_edit_is_in_the_very_next_answer(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert paths(ask(daemon, "needle")) == ["a.py"]
        watched(daemon)
        for word in ("one", "two", "three", "four", "five"):
            indexed.write({"src/b.py": f"def {word}():\n    return 2\n"})
            assert paths(ask(daemon, word)) == ["src/b.py"]
        (indexed.root / "a.py").rename(indexed.root / "src" / "z.py")
        assert paths(ask(daemon, "needle")) == ["src/z.py"]
        (indexed.root / "src" / "z.py").unlink()
        assert paths(ask(daemon, "needle")) == []


@LINUX
def test_edits_in_a_row_are_all_in_the_next_answers(indexed: Tree) -> None:
    """So many that full text merges several times meanwhile, which takes the writer's lock and no answer's time."""
    with serving(indexed) as daemon:
        ask(daemon, "needle")
        assert watched(daemon)
        late = 0
        for letters in itertools.islice(itertools.product("abcdefg", repeat=3), 40):
            word = "".join(letters)
            indexed.write({"src/b.py": f"def {word}():\n    return 2\n"})
            answer = ask(daemon, word)
            if not answer["fresh"]:
                # A machine that is so busy merges for longer than an answer waits.
                late += 1
                answer = until(partial(fresh, daemon, word))
            assert paths(answer) == ["src/b.py"]
        assert late < 10


@LINUX
def test_an_edit_is_brought_in_though_nobody_asks(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        before = ask(daemon, "needle")["generation"]
        watched(daemon)
        indexed.write({"a.py": "def changed():\n    return 1\n"})
        assert until(lambda: json.loads(indexed.run("status", "--json").out)["index"]["generation"] > before)


@LINUX
def test_a_quiet_tree_is_not_looked_at_again(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        before = watched(daemon)
        for number in range(10):
            ask(daemon, f"needle {number}")
        assert looks(daemon) == before
        indexed.save("noise.log", "1")
        ask(daemon, "is noise.log a file of ours")
        assert looks(daemon) == before + 1
        indexed.save("noise.log", "2")
        ask(daemon, "it was not")
        assert looks(daemon) == before + 1


@LINUX
def test_while_a_job_brings_much_in_no_answer_is_older_than_the_files(indexed: Tree) -> None:
    """Though the tree is not looked at for it. The job waits for our lock meanwhile."""
    with serving(indexed) as daemon:
        ask(daemon, "needle")
        assert watched(daemon)
        with lock.writing(indexed.repository.folder, wait=False):
            daemon.ask("index", str(indexed.root))
            indexed.write({f"m{number}.py": f"def many{number}(): ...\n" for number in range(250)})
            assert until(lambda: not ask(daemon, "needle")["fresh"])
            for word in ("one", "two", "three"):
                indexed.write({"a.py": f"def needle():\n    return {word}\n"})
                answer = ask(daemon, "needle")
                assert not answer["fresh"]
                assert all(hit.get("stale") or f"return {word}" in hit["text"] for hit in answer["hits"])
        assert until(lambda: ask(daemon, "many7")["fresh"])
        assert "a.py" in paths(ask(daemon, "three"))


@LINUX
def test_a_branch_that_is_switched_is_one_change(indexed: Tree) -> None:
    """As long as nobody asks in the middle of it."""
    indexed.git("switch", "-q", "-c", "many")
    indexed.write({f"m{number}.py": f"def only_here{number}(): ...\n" for number in range(50)}).commit()
    indexed.git("switch", "-q", "main")
    with serving(indexed) as daemon:
        before = ask(daemon, "needle")["generation"]
        watched(daemon)
        indexed.git("switch", "-q", "many")
        assert until(lambda: json.loads(indexed.run("status", "--json").out)["index"]["generation"] > before)
        answer = ask(daemon, "only_here7")
        assert "m7.py" in paths(answer)
        assert answer["generation"] == before + 1


@LINUX
def test_where_the_system_watches_no_more_the_tree_is_looked_at_now_and_then(
    indexed: Tree, tmp_path: Path
) -> None:
    """In a user namespace of its own that allows one watch."""
    limit = "/proc/sys/user/max_inotify_watches"
    within = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*within, f"echo 1 > {limit}"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho 1 > {limit}\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    interpreter = ("unshare", "--user", "--map-root-user", os.fspath(script))
    with serving(indexed, interpreter=interpreter) as daemon:
        assert paths(ask(daemon, "needle")) == ["a.py"]
        cache = until(lambda: json.loads(daemon.ask("get_status"))["cache"]["unwatchable"])
        assert "space" in cache
        indexed.write({"a.py": "def changed():\n    return 1\n"})
        assert until(lambda: "a.py" in [hit["path"] for hit in ask(daemon, "changed")["hits"]])
