"""Whoever attacks the socket gets nothing and costs nobody anything (`tests/faults/hostile.py` has the attacks)."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.hostile import (
    ATTACKS,
    MOST_GROWTH_BYTES,
    PATIENCE_S,
    Footprint,
    Target,
    another_user,
    random_bytes,
    under_attack,
)
from tests.kit import Tree

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc"),
    pytest.mark.xdist_group("hostile"),
]
RANDOM_S = 3.0


@pytest.fixture(scope="module")
def under(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Footprint]]:
    """One daemon for all attacks, and what it held before the first."""
    with under_attack(Tree(tmp_path_factory.mktemp("hostile"))) as target:
        yield target, target.footprint()


def check_unharmed(under: tuple[Target, Footprint]) -> None:
    target, first = under
    target.serves_others()
    target.settle(first)
    until = time.monotonic() + PATIENCE_S
    # What a burst took goes back to the system when nobody is there any more.
    while (grown := target.footprint().rss_bytes - first.rss_bytes) >= MOST_GROWTH_BYTES:
        assert time.monotonic() < until, f"memory grew by {grown / 2**20:.1f} MiB"
        time.sleep(0.2)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_others_are_served_and_nothing_is_told(
    under: tuple[Target, Footprint], attack: Callable[[Target], None]
) -> None:
    attack(under[0])
    check_unharmed(under)


def test_random_bytes_do_nothing(under: tuple[Target, Footprint]) -> None:
    assert random_bytes(under[0], seconds=RANDOM_S, seed=1) > 100
    check_unharmed(under)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_not_answered(under: tuple[Target, Footprint]) -> None:
    assert another_user(under[0]) == "b''"
    assert Path(under[0].daemon.path).stat().st_mode & 0o777 == 0o600
    check_unharmed(under)
