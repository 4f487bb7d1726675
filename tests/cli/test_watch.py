"""`cidx watch` in a process of its own, as a person runs it."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.kit import Tree


@pytest.fixture
def watching(tree: Tree) -> "Iterator[subprocess.Popen[str]]":
    tree.write({"a.py": "def needle(): ...\n"}).commit()
    process = tree.spawn("watch")
    assert process.stdout is not None
    assert "generation 1: 1 added" in process.stdout.readline()
    assert process.stdout.readline() == f"watching {tree.root}; Ctrl-C ends it\n"
    yield process
    if process.poll() is None:
        process.kill()
        process.communicate()


def test_each_change_is_brought_in_and_said(tree: Tree, watching: "subprocess.Popen[str]") -> None:
    assert watching.stdout is not None
    tree.save("b.py", "def other(): ...\n")
    assert "generation 2: 1 added, 0 changed, 0 removed" in watching.stdout.readline()
    (tree.root / "a.py").unlink()
    assert "generation 3: 0 added, 0 changed, 1 removed" in watching.stdout.readline()
    tree.write({".code-indexer/own": "x"})
    tree.save("b.py", "def third(): ...\n")
    assert "generation 4: 0 added, 1 changed, 0 removed" in watching.stdout.readline()


def test_ctrl_c_ends_it_without_a_word(tree: Tree, watching: "subprocess.Popen[str]") -> None:
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert (watching.returncode, out, err) == (130, "", "")


def test_a_change_that_can_not_be_read_now_ends_nothing(
    tree: Tree, watching: "subprocess.Popen[str]"
) -> None:
    assert watching.stdout is not None
    assert watching.stderr is not None
    settings = tree.root / ".code-indexer/config.json"
    settings.write_text("no JSON")
    tree.save("b.py", "def other(): ...\n")
    assert "config.json" in watching.stderr.readline()
    settings.unlink()
    tree.save("c.py", "def third(): ...\n")
    assert "generation 2: 2 added" in watching.stdout.readline()
