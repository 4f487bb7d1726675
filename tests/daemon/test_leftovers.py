"""What a run leaves to do is done, by whoever comes first, and never twice."""

import contextlib
import threading

import pytest

from cidx.daemon import process
from cidx.daemon.leftovers import Leftovers


def left(*steps: object) -> contextlib.ExitStack:
    """What calls these in their order."""
    stack = contextlib.ExitStack()
    for step in reversed(steps):
        stack.callback(step)  # type: ignore[arg-type]
    return stack


def test_nothing_is_left_at_first() -> None:
    assert Leftovers().finish(0)


def test_it_is_finished_though_nobody_asks() -> None:
    leftovers, done = Leftovers(), threading.Event()
    leftovers.add(left(done.set))
    assert done.wait(20)


def test_who_has_no_time_is_told_that_somebody_is_at_it() -> None:
    leftovers, begun, go_on = Leftovers(), threading.Event(), threading.Event()
    leftovers.add(left(begun.set, go_on.wait))
    assert begun.wait(20)
    assert not leftovers.finish(0)
    go_on.set()
    assert leftovers.finish()


def test_who_writes_next_does_it_where_no_thread_could_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with no memory for one; and one that begins too late finds it done."""
    late: list[object] = []
    monkeypatch.setattr(process, "start_thread", late.append)
    leftovers, calls = Leftovers(), []  # type: tuple[Leftovers, list[int]]
    leftovers.add(left(lambda: calls.append(1)))
    assert leftovers.finish(0)
    assert calls == [1]
    for thread in late:
        thread()  # type: ignore[operator]
    assert calls == [1]


def test_what_goes_wrong_in_it_is_nobodys_error() -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    leftovers = Leftovers()
    leftovers.add(left(fail))
    assert leftovers.finish()
    # The thread that was begun for it may only come now, and finds nothing.
    assert leftovers.finish()
