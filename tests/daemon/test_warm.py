"""What a daemon holds for all who ask at once."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from cidx.daemon import warm
from cidx.daemon.vitals import Vitals
from cidx.daemon.warm import Warm
from tests.kit import Tree


def test_whether_its_folder_may_be_used_is_asked_once_by_a_crowd(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a git process, and descriptors for that."""
    tree.write({"a.py": "def needle(): ...\n"}).commit()
    tree.index()
    asked, programs = tmp_path / "asked", tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\necho >>{asked}\nexec {shutil.which("git")} "$@"\n')
    (programs / "git").chmod(0o755)
    held = Warm(tree.root, tree.users, Vitals())
    monkeypatch.setattr(held, "_trusted", -warm._TRUST_S)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    at_once = threading.Barrier(20)

    def ask() -> None:
        at_once.wait()
        assert held.repository(tree.root).root == tree.root

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked.read_text() == "\n"
