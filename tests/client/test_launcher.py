"""The sh launcher: the light start wherever it is possible, and a way that works wherever it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.kit import LAUNCHER, install


def call(launcher: Path | str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [launcher, *arguments],
        env=os.environ | {"HOME": "/nonexistent", "XDG_DATA_HOME": ""} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An installation of its own, to be changed."""
    return install(tmp_path / "my venv", copy=True)


def packages(command: Path) -> Path:
    [found] = command.parents[1].glob("lib/python*/site-packages")
    return found


def cached(command: Path) -> Path:
    return packages(command) / f"cidx/client/__pycache__/main.{sys.implementation.cache_tag}.pyc"


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """An environment whose python only says how it was called."""
    command = tmp_path / "some where/venv/bin/cidx"
    command.parent.mkdir(parents=True)
    command.write_bytes(LAUNCHER.read_bytes())
    command.chmod(0o755)
    python = command.parent / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
    python.chmod(0o755)
    return command


def add_client(command: Path, version: str) -> None:
    client = command.parents[1] / f"lib/python{version}/site-packages/cidx/client"
    client.mkdir(parents=True)
    (client / "main.py").touch()


def test_the_light_start_leaves_site_out(fake: Path) -> None:
    add_client(fake, "3.11")
    said = call(fake, "query", "two  words", "", "*").stdout.split("\n")
    assert said[1:4] == ["-I", "-S", "-c"]
    assert said[-6:] == [f"{fake.parent}/..", "query", "two  words", "", "*", ""]


def test_what_is_installed_in_place_is_started_as_a_module(fake: Path) -> None:
    said = call(fake, "query").stdout.split("\n")
    assert said[1:] == ["-I", "-m", "cidx", "query", ""]


def test_a_source_newer_than_its_cache_is_what_runs(own: Path) -> None:
    """An upgrade in place: nobody looks at a stale .pyc."""
    assert call(own, "--version").stdout.startswith("cidx ")
    assert cached(own).exists()
    source = packages(own) / "cidx/client/main.py"
    source.write_text("def main():\n    print('the new one')\n")
    assert call(own, "--version").stdout == "the new one\n"


def test_a_cache_of_another_python_is_not_run(own: Path) -> None:
    """As after an upgrade of Python under the environment's feet."""
    call(own, "--version")
    cached(own).write_bytes(b"\x00\x00\r\n" + cached(own).read_bytes()[4:])
    ended = call(own, "--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("cidx ")
    assert cached(own).read_bytes()[:2] != b"\x00\x00", "it is made anew on the way"


@pytest.mark.parametrize("damage", [b"", b"short", b"\x00" * 5000])
def test_a_damaged_cache_is_not_run(own: Path, damage: bytes) -> None:
    call(own, "--version")
    cached(own).write_bytes(damage)
    ended = call(own, "--version")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_a_cache_the_source_is_run(own: Path) -> None:
    """As some installers leave it, and where nothing can be written."""
    ended = call(own, "--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    for folder in packages(own).rglob("__pycache__"):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        folder.touch()
    ended = call(own, "--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("cidx ")


def test_a_python_of_another_version_says_what_to_do(own: Path) -> None:
    """A base interpreter that was replaced: nothing of the old one's packages can be imported any more."""
    lib = packages(own).parent
    lib.rename(lib.with_name("python3.1"))
    ended = call(own, "query", "x")
    assert (ended.returncode, ended.stdout) == (70, "")
    [line] = ended.stderr.splitlines()
    assert "run install.sh again" in line


def test_the_packages_of_the_running_version_are_taken(own: Path) -> None:
    """Not those of another, which an environment that was upgraded in place still has."""
    add_client(own, "3.1")
    add_client(own, "3.99")
    ended = call(own, "--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("cidx ")


def test_nothing_is_imported_from_the_working_directory(own: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for module in ("cidx", "posix", "time", "_socket", "_sha256", "_sha2", "_stat", "click", "json"):
        (hostile / f"{module}.py").write_text(f"raise SystemExit('the wrong {module}')")
    done = subprocess.run(
        [own, "query", "x"],
        cwd=hostile,
        env=os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(hostile)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "the wrong" not in done.stdout + done.stderr
