"""The daemon within its memory limit: the levels' borders, and what is given up at each."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cidx.daemon import memory
from cidx.daemon.memory import Keeper, Level, Pressure
from cidx.daemon.process import private_bytes, trim
from cidx.repository.repository import FOLDER
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

MB = 2**20
PATIENCE_S = 20.0


def test_levels_have_exact_borders_and_are_left_a_tenth_lower() -> None:
    pressure = Pressure()
    for used, level in (
        (0, Level.CALM),
        (699, Level.CALM),
        (700, Level.HIGH),
        (699, Level.HIGH),
        (600, Level.HIGH),
        (599, Level.CALM),
        (899, Level.HIGH),
        (900, Level.CRITICAL),
        (800, Level.CRITICAL),
        (799, Level.HIGH),
        (5000, Level.CRITICAL),
        (0, Level.CALM),
        (900, Level.CRITICAL),
        (600, Level.HIGH),
    ):
        assert pressure.note(used, 1000) == level, used


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_private_memory_is_seen_to_come_and_go() -> None:
    before = private_bytes()
    held = bytearray(b"x" * 40 * MB)
    assert private_bytes() - before > 38 * MB
    del held
    assert private_bytes() - before < 4 * MB


class Hoard:
    """Holds real memory as a daemon does: answers, and what meaning needs."""

    def __init__(self, answers: int, meaning: int) -> None:
        self.sizes = {"answers": answers, "meaning": meaning}
        self.held = {name: bytearray(b"x" * size) for name, size in self.sizes.items()}

    @property
    def keeps_answers(self) -> bool:
        return "answers" in self.held

    @property
    def is_lean(self) -> bool:
        return "meaning" not in self.held

    def keep_answers(self, whether: bool) -> None:
        self._hold("answers", whether)

    def open_anew(self, *, lean: bool) -> None:
        self._hold("meaning", not lean)

    def _hold(self, name: str, whether: bool) -> None:
        if whether:
            self.held[name] = bytearray(b"x" * self.sizes[name])
        else:
            del self.held[name]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_S", "_TRIM_S", "_LEAN_S", "_LEAST_LIFE_S", "_PATIENCE_S"):
        monkeypatch.setattr(memory, name, 0.0)


@pytest.mark.usefixtures("hurried")
def test_what_is_given_up_first_is_what_is_missed_least() -> None:
    """And each step gives back what it drops; when there is room again all is as before."""
    left: list[str] = []
    limit = 10**12
    trim()
    base = private_bytes()
    hoard = Hoard(20 * MB, 40 * MB)
    keeper = Keeper(hoard, lambda: limit, left.append)
    keeper.look()
    assert (keeper.level, hoard.keeps_answers, hoard.is_lean) == (Level.CALM, True, False)
    limit = private_bytes() * 10 // 8
    keeper.look()
    assert (hoard.keeps_answers, hoard.is_lean) == (False, False)
    assert private_bytes() - base < 42 * MB
    limit = private_bytes() * 100 // 91
    keeper.look()
    assert (hoard.keeps_answers, hoard.is_lean, left) == (False, True, [])
    assert private_bytes() - base < 4 * MB
    limit = private_bytes() * 100 // 91
    keeper.look()
    time.sleep(0.001)
    keeper.look()
    assert left == ["short of memory"]
    limit = 10**12
    keeper.look()
    assert (keeper.level, hoard.keeps_answers, hoard.is_lean) == (Level.CALM, True, False)


@pytest.mark.usefixtures("hurried")
def test_what_would_not_fit_is_not_taken_back() -> None:
    trim()
    hoard = Hoard(MB, max(60 * MB, private_bytes()))
    limit = private_bytes() * 100 // 95
    keeper = Keeper(hoard, lambda: limit, lambda _: None)
    keeper.look()
    assert hoard.is_lean
    # Calm without it, high with it.
    limit = private_bytes() * 2
    keeper.look()
    assert (keeper.level, hoard.is_lean) == (Level.CALM, True)
    limit *= 2
    keeper.look()
    assert not hoard.is_lean


@contextmanager
def short_of_memory(tree: Tree) -> Iterator[Daemon]:
    """A daemon that has more than its limit from the start."""
    with serving(tree, CIDX_DAEMON_MEMORY_LIMIT_MB="20") as daemon:
        yield daemon


def settled(daemon: Daemon, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE_S
    while True:
        found: dict[str, Any] = json.loads(daemon.ask("get_status"))
        if holds(found) or time.monotonic() > end:
            return found
        time.sleep(0.05)


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({f"part{n}.py": f"def needle_{n}():\n    return 'hay'\n" for n in range(30)}).commit()
    tree.index()
    return tree


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_without_memory_words_alone_answer_and_say_so(indexed: Tree) -> None:
    with short_of_memory(indexed) as daemon:
        daemon.run("query", "-q", "needle_3")
        found = settled(daemon, lambda status: status["memory"]["lean"])
        assert (found["memory"]["pressure"], found["memory"]["limit_bytes"]) == ("critical", 20 * MB)
        assert found["events"]["answers_dropped"] == found["events"]["meaning_dropped"] == 1
        words = [hit["path"] for hit in indexed.run("query", "--fts", "--json", "needle_3").json["hits"]]
        for kind in ((), ("--semantic",), ("--fts",)):
            time.sleep(0.1)
            answered = daemon.run("query", *kind, "--json", "needle_3").json
            assert [hit["path"] for hit in answered["hits"]] == words, kind
            assert answered.get("degraded", "") == (
                "" if "--fts" in kind else "the daemon is short of memory"
            )
        assert "found by words alone: the daemon is short of memory" in daemon.run("query", "needle_3").err
        assert daemon.run("similar", "-q", "part3.py:1").code == 0
        assert daemon.run("symbols", "-q", "needle_3").code == 0
        here = {"XDG_RUNTIME_DIR": daemon.runtime}
        health = indexed.run("health", "--json", environment=here)
        assert (health.code, health.json["health"]) == (1, "degraded")
        assert health.json["reasons"][0] == "short of memory (critical)"
        assert "trouble     short of memory (critical)" in indexed.run("status", environment=here).out
        assert settled(daemon, lambda status: True)["cache"]["answers"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_higher_limit_is_heard_of(indexed: Tree) -> None:
    with serving(indexed, CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS="0.1") as daemon:
        daemon.run("query", "-q", "needle_3")
        (indexed.root / FOLDER / "config.json").write_text('{"daemon": {"memory_limit_mb": 20}}')
        assert settled(daemon, lambda status: status["memory"]["lean"])["memory"]["pressure"] == "critical"
        (indexed.root / FOLDER / "config.json").write_text('{"daemon": {"memory_limit_mb": 2000}}')
        assert settled(daemon, lambda status: status["memory"]["pressure"] == "calm")["reasons"]
