"""`cidx bench` on a real repository: what it measures, and what it leaves alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cidx.client import call
from tests.daemon.kit import serving
from tests.kit import Tree


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write(
        {f"pkg/m{n}.py": f"def needle_{n}(hay):\n    return hay.stack[{n}]\n" for n in range(20)}
    ).commit()
    tree.index()
    return tree


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def test_it_measures_and_leaves_everything_as_it_was(indexed: Tree, short: Path) -> None:
    """The index with a file that a query would bring in, somebody's daemon, and the temporary folder."""
    indexed.write({"late.py": "def arrived_later(): ...\n"})
    with serving(indexed) as theirs:
        before = state_of(indexed.root / ".code-indexer")
        found = {"TMPDIR": str(short), "XDG_RUNTIME_DIR": theirs.runtime}
        ran = indexed.process(
            "bench", "--queries", "10", "--clients", "3", "--json", "--plot", "p.svg", **found
        )
        assert ran.err == ""
        assert "run" not in json.loads(theirs.ask("get_status"))["requests"]
    assert state_of(indexed.root / ".code-indexer") == before
    assert list(short.iterdir()) == []

    told = ran.json
    assert [criterion["name"] for criterion in told["criteria"]] == [
        "faster", "rpc", "start", "consecutive", "concurrent", "memory",
    ]  # fmt: skip
    met = all(criterion["met"] for criterion in told["criteria"])
    assert (told["verdict"], ran.code) == (("GO", 0) if met else ("NO-GO", 1))
    assert told["index"] == {"generation": 1, "files": 20, "chunks": 20}
    assert told["machine"]["cores"] == os.cpu_count()

    measured = told["measurements"]
    assert set(measured["queries"]) == {"repeated", "hybrid", "full_text", "semantic"}
    assert measured["changed_files"] == 1
    assert measured["consecutive"]["answered"] == measured["concurrent"]["answered"] == 10
    assert measured["concurrent"]["clients"] == 3
    assert len(measured["memory"]["samples"]) == 1 + 10 + 10
    assert measured["memory"]["before_bytes"] > 1_000_000
    assert measured["wire"]["daemon_mean_ms"] > 0
    assert measured["cold"]["total"]["count"] == 3
    assert ElementTree.parse(indexed.root / "p.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(indexed: Tree, short: Path, how: signal.Signals) -> None:
    """On a terminal, where it says how far it is."""
    ours, theirs = os.openpty()
    extra = {"TMPDIR": str(short), "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-m", "cidx", "bench", "--plot", "p.svg"],
        cwd=indexed.root,
        env=indexed.process_environment(**extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    pid = pid_of_daemon(indexed, short)
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(short.iterdir()) == []
    assert not (indexed.root / "p.svg").exists()
    said = os.read(ours, 65536)
    os.close(ours)
    assert b"measuring a daemon's start: 0 of 3" in said
    assert said.endswith(b"\r\x1b[K")


def pid_of_daemon(tree: Tree, folder: Path) -> int:
    """Of the one that is measured, as soon as it answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for socket in folder.glob("*/cidx/*.sock"):
            told = call.value(str(socket), str(tree.root), "get_status")
            if isinstance(told, str):
                return int(json.loads(told)["pid"])
        time.sleep(0.01)
    raise AssertionError("no daemon was started")


def test_without_an_index_or_words_it_says_what_to_do(tree: Tree) -> None:
    ran = tree.run("bench")
    assert (ran.code, ran.out) == (3, "")
    assert "next: cidx index" in ran.err
    tree.write({"a.txt": "1 2 3\n"}).commit()
    tree.index()
    ran = tree.run("bench", "--json")
    assert ran.code == 3
    assert ran.json["error"]["why"] == "its index holds no words"


def test_a_picture_that_can_not_be_written_is_known_before(indexed: Tree) -> None:
    for file in ("/nonexistent/p.svg", str(indexed.root)):
        ran = indexed.run("bench", "--plot", file)
        assert (ran.code, ran.out) == (2, "")
        assert "can't be written" in ran.err


def test_bad_settings_are_known_before(indexed: Tree) -> None:
    ran = indexed.run("bench", environment={"CIDX_DAEMON_TTL_MINUTES": "long"})
    assert (ran.code, ran.out) == (2, "")
    assert "[bad-config]" in ran.err


@pytest.mark.parametrize("flags", [("--queries", "0"), ("--clients", "101"), ("--plot",)])
def test_what_makes_no_sense_is_refused(indexed: Tree, flags: tuple[str, ...]) -> None:
    assert indexed.run("bench", *flags).code == 2


def test_a_daemon_measures_nothing(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        ran = daemon.run("bench")
    assert ran.code == 2
    assert "can't measure itself" in ran.err
