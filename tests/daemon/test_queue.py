"""The queue of a daemon's jobs, in this process, with jobs that are real: joined, in order, bounded, never stuck."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cidx.api.errors import CidxError, Code, Locked
from cidx.daemon import jobs
from cidx.daemon.jobs import Job, Jobs
from cidx.index import apart
from cidx.index.progress import Progress
from cidx.repository import lock
from cidx.repository.settings import IndexSettings
from tests.kit import Tree

PATIENCE_S = 30.0
pytestmark = pytest.mark.timeout(120)


class Queue:
    """Jobs of a tree that differ in what they leave out."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.counted: Counter[str] = Counter()
        self.ends = 0
        self.jobs = Jobs(self._ended, lambda name: self.counted.update([name]))

    def begin(self, exclude: str = "", *, clear: bool = False, asked: bool = True) -> Job:
        settings = IndexSettings(exclude=(exclude,) if exclude else ())
        order = apart.Order(repository=self.tree.repository, settings=settings, clear=clear)
        return self.jobs.begin(order, asked=asked)

    def words(self, *found: Job) -> list[str]:
        return [job.state.word for job in found]

    def _ended(self) -> None:
        self.ends += 1


@pytest.fixture
def queue(tree: Tree) -> Iterator[Queue]:
    tree.write({"a.py": "def needle():\n    return 1\n"}).commit()
    tree.index()
    found = Queue(tree)
    yield found
    found.jobs.leave()


@pytest.fixture
def held(queue: Queue) -> Iterator[Callable[[], None]]:
    """Until it is called no job gets any further: the writer's lock is ours."""
    writing = lock.writing(queue.tree.repository.folder, wait=False)
    writing.__enter__()
    gone: list[bool] = []

    def let_go() -> None:
        if not gone:
            gone.append(True)
            writing.__exit__(None, None, None)

    yield let_go
    let_go()


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def end_of(job: Job) -> str:
    assert job.wait(10**9, PATIENCE_S).has_ended
    return job.state.word


def test_a_graph_in_the_making_makes_way_for_what_has_changed_and_not_for_who_only_asks(
    queue: Queue, held: Callable[[], None]
) -> None:
    """Making one takes minutes, and its job has published all that it found."""
    linking = queue.begin()
    until(lambda: linking.state.progress.phase.startswith("waiting for process"))
    linking._note(replace(linking.state, progress=Progress("linking vectors, 3 % done", 1, 1, 1)))
    assert queue.begin() is linking
    queue.tree.write({"a.py": "def changed():\n    return 1\n"})
    queue.jobs.want(queue.tree.repository, IndexSettings())
    assert end_of(linking) == "abandoned"
    until(lambda: queue.jobs.running)
    assert queue.jobs.running is not None
    following = queue.jobs.find(queue.jobs.running.id)
    held()
    assert end_of(following) == "done"
    assert following.state.summary is not None
    assert following.state.summary.changed == 1


def test_who_wants_the_same_joins_it(queue: Queue, held: Callable[[], None]) -> None:
    first = queue.begin()
    assert queue.begin() is first
    assert queue.begin(asked=False) is first
    anew = queue.begin(clear=True)
    assert queue.begin(clear=True) is anew
    assert queue.begin("*.txt") is queue.begin("*.txt")
    assert queue.words(first, anew) == ["running", "waiting"]
    assert [job["state"] for job in queue.jobs.describe()] == ["running", "waiting", "waiting"]
    held()
    assert [end_of(job) for job in (first, anew)] == ["done", "done"]


def test_all_that_a_rebuild_would_do_needs_no_job_beside_it(queue: Queue, held: Callable[[], None]) -> None:
    anew = queue.begin(clear=True)
    assert queue.begin() is anew
    held()
    assert end_of(anew) == "done"


def test_what_was_asked_for_comes_before_what_was_not(queue: Queue, held: Callable[[], None]) -> None:
    first = queue.begin()
    unasked = queue.begin("*.a", asked=False)
    wanted = queue.begin("*.b")
    in_order = [first, wanted, unasked]
    assert [job["id"] for job in queue.jobs.describe()] == [job.state.id for job in in_order]
    held()
    assert [end_of(job) for job in in_order] == ["done"] * 3
    assert [queue.jobs.find(job.state.id) for job in in_order] == list(queue.jobs._known)
    assert queue.counted == {"jobs_started": 3, "jobs_done": 3}
    assert queue.ends == 3


def test_a_full_queue_says_so(queue: Queue, held: Callable[[], None]) -> None:
    begun = [queue.begin(f"*.{n}") for n in range(5)]
    with pytest.raises(Locked) as caught:
        queue.begin("*.more")
    assert (caught.value.why, queue.counted["jobs_refused"]) == (
        "one runs and 4 wait, each with other settings",
        1,
    )
    assert queue.begin("*.3") is begun[3]
    held()
    assert {end_of(job) for job in begun} == {"done"}
    assert end_of(queue.begin("*.more")) == "done"


def test_what_waits_can_be_cancelled_and_is_never_begun(queue: Queue, held: Callable[[], None]) -> None:
    first, second = queue.begin(), queue.begin("*.a")
    queue.jobs.cancel(second)
    assert (second.wait(0, 0).word, queue.words(first)) == ("cancelled", ["running"])
    assert queue.jobs.find(second.state.id) is second
    assert (queue.jobs.find(first.state.id), queue.jobs.running is not None) == (first, True)
    held()
    assert end_of(first) == "done"
    assert queue.counted == {"jobs_started": 1, "jobs_done": 1, "jobs_cancelled": 1}


def test_a_job_that_hangs_is_ended_and_the_next_one_runs(
    queue: Queue, held: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_SILENT_S", 0.3)
    hanging, following = queue.begin(), queue.begin("*.a")
    assert hanging._run is not None
    until(lambda: hanging.state.progress.phase.startswith("waiting for"))
    os.kill(hanging._run.pid, signal.SIGSTOP)
    held()
    until(lambda: hanging.silent_s > 0.3)
    queue.jobs.stop_overdue()
    monkeypatch.undo()
    assert end_of(hanging) == "failed"
    assert hanging.state.error is not None
    assert (hanging.state.error.code, hanging.state.error.what) == (Code.IO, "the index job was ended")
    assert end_of(following) == "done"


def test_a_job_that_dies_holds_up_nobody(queue: Queue, held: Callable[[], None]) -> None:
    dying, following = queue.begin(), queue.begin("*.a")
    assert dying._run is not None
    os.kill(dying._run.pid, signal.SIGSEGV)
    assert end_of(dying) == "failed"
    assert dying.state.error is not None
    assert "SIGSEGV" in dying.state.error.why
    held()
    assert end_of(following) == "done"


def test_leaving_ends_what_runs_and_what_waits(queue: Queue, held: Callable[[], None]) -> None:
    found = [queue.begin(), queue.begin("*.a"), queue.begin("*.b")]
    queue.jobs.leave()
    assert queue.words(*found) == ["abandoned"] * 3
    with pytest.raises(CidxError) as caught:
        queue.begin()
    assert caught.value.code is Code.UNREACHABLE
    held()
    with lock.writing(queue.tree.repository.folder, wait=False):
        pass


def test_where_no_process_can_be_started_the_next_one_is_tried(
    queue: Queue, held: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = queue.begin()
    waiting = queue.begin("*.a")
    monkeypatch.setattr(apart.sys, "executable", "/nowhere/python")
    held()
    assert end_of(first) == "done"
    assert end_of(waiting) == "failed"
    with pytest.raises(CidxError) as caught:
        queue.begin("*.b")
    assert caught.value.what == "no process could be started for the index"
    monkeypatch.undo()
    assert end_of(queue.begin("*.b")) == "done"
