"""The work of a daemon that takes longer than an answer: index jobs, one at a time, a few more in a queue.

A job belongs to nobody: its process (`cidx.index.apart`) goes on whoever watches, and a thread here notes what it says.
Watchers ask for whatever is newer than what they have `seen`, and are never waited for. Who wants what runs or waits
already joins that. What somebody asked for comes before what nobody did; one that says nothing for long is ended, and
the next one starts. Safe to share between threads.
"""

import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cidx import log
from cidx.api.errors import CidxError, Code, Locked
from cidx.daemon import process
from cidx.index import apart, linking
from cidx.index.progress import Progress, Summary
from cidx.repository import lock
from cidx.repository.repository import Repository
from cidx.repository.settings import IndexSettings

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
CANCELLED, ABANDONED = "cancelled", "abandoned"
_WAITING = Progress("waiting for the job before it")
_STARTING = Progress("starting")
# A job that nobody asked for and that was no use is not tried again so soon.
_AGAIN_S = 60.0
# A run speaks ten times a second, and now and then while it links vectors or waits for a slow disk.
_SILENT_S = 600.0
# How long a process that was told to stop may take, and the one that hears of its end.
_LEAVING_S = apart.PATIENCE_S + 2.0
# Jobs that differ in what they index; more than these wait for no good reason.
_MOST_WAITING = 4
# Watchers of a job that has ended may ask a little later than another one has begun.
_MOST_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a job is at one moment. `seen` grows with every change; `abandoned` is one whose daemon leaves."""

    id: str
    clear: bool
    asked: bool
    since: float
    word: str = WAITING
    seen: int = 1
    progress: Progress = _WAITING
    took_s: float = 0.0
    summary: Summary | None = None
    no_graph: str = ""
    error: CidxError | None = None

    @property
    def has_ended(self) -> bool:
        return self.word not in (WAITING, RUNNING)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": "index",
            "clear": self.clear,
            "asked": self.asked,
            "state": self.word,
            "seen": self.seen,
            "since": round(self.since, 3),
            "phase": self.progress.phase,
            "files_done": self.progress.files_done,
            "files_total": self.progress.files_total,
            "chunks": self.progress.chunks,
            "summary": self.summary.to_json() if self.summary else None,
            "no_graph": self.no_graph,
            "error": self.error.to_json() if self.error else None,
        }


class Job:
    """One run in its process, and what is known of it. `ending` hears of its end before those who wait for that do."""

    def __init__(self, order: apart.Order, *, asked: bool, ending: Callable[[State], None]) -> None:
        self.order = order
        self._ending = ending
        self._changed = threading.Condition()
        self._ends_as = FAILED
        self._why: CidxError | None = None
        self._run: apart.Run | None = None
        self._heard = self._started = time.monotonic()
        self.state = State(id=secrets.token_hex(8), clear=order.clear, asked=asked, since=time.time())

    def start(self, ended: Callable[[], None]) -> None:
        """Have its process run; `ended` is called at last. Raises OSError or RuntimeError where there can be none."""
        run = apart.Run(self.order)
        self._heard = self._started = time.monotonic()
        self._note(replace(self.state, word=RUNNING, progress=_STARTING))
        self._run = run
        try:
            process.start_thread(self._follow, run, ended)
        except RuntimeError:
            self._run = None
            run.kill()
            raise

    def covers(self, order: apart.Order) -> bool:
        """Whether what this one does is all that the other would do."""
        return self.order.settings == order.settings and (self.order.clear or not order.clear)

    @property
    def is_linking(self) -> bool:
        """Whether all that it found is published, and only a graph is still to come."""
        return not self.state.has_ended and self.state.progress.phase.startswith(linking.PHASE)

    @property
    def silent_s(self) -> float:
        """Since it was heard of last."""
        return time.monotonic() - self._heard

    def wait(self, seen: int, timeout_s: float) -> State:
        """As soon as there is something newer than what was seen; as it is, once the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.state.seen > seen or self.state.has_ended, timeout_s)
            return self.state

    def stop(self, word: str, why: CidxError | None = None) -> None:
        """Have it end soon; an answer that is on its way counts all the same."""
        with self._changed:
            if self._ends_as == FAILED and self._why is None:
                self._ends_as, self._why = word, why
        if self._run is not None:
            self._run.stop()
        else:
            self._note(replace(self.state, word=word, error=why))

    def give_up(self) -> None:
        """It has failed, whatever becomes of its process."""
        self._note(replace(self.state, word=FAILED, error=self._why))

    def _follow(self, run: apart.Run, ended: Callable[[], None]) -> None:
        for said in run.said():
            self._heard = time.monotonic()
            if isinstance(said, Progress):
                self._note(replace(self.state, progress=said))
            else:
                last = self._last(said)
                _record(last, said)
                # Who hears of the end finds what follows from it done; whatever becomes of that, it has ended.
                try:
                    self._ending(last)
                finally:
                    self._note(last)
                    ended()

    def _last(self, outcome: apart.Outcome) -> State:
        word = DONE if outcome.summary is not None else self._ends_as
        took_s = time.monotonic() - self._started
        return replace(
            self.state,
            word=word,
            took_s=took_s,
            summary=outcome.summary,
            no_graph=outcome.no_graph,
            error=(self._why or outcome.error) if word == FAILED else None,
        )

    def _note(self, state: State) -> None:
        with self._changed:
            self.state = replace(state, seen=self.state.seen + 1)
            self._changed.notify_all()


class Jobs:
    """The jobs of one daemon. `ended` is told of each end, before those who wait for it; `count` of what happens."""

    def __init__(self, ended: Callable[[], None], count: Callable[[str], None]) -> None:
        self._told = ended
        self._count = count
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        # Those that were started, the last of them perhaps still at it.
        self._known: deque[Job] = deque(maxlen=_MOST_KEPT)
        self._never_started: deque[Job] = deque(maxlen=_MOST_KEPT)
        self._not_before = 0.0
        self._is_leaving = False

    @property
    def running(self) -> State | None:
        job = self._at_it()
        return job.state if job is not None else None

    @property
    def is_indexing(self) -> bool:
        """Whether one is at it that has more to publish."""
        job = self._at_it()
        return job is not None and not job.is_linking

    @property
    def failure(self) -> CidxError | None:
        """Of the last job, if it has ended so."""
        return self._known[-1].state.error if self._known else None

    def begin(self, order: apart.Order, *, asked: bool = True) -> Job:
        """The job that runs or waits and does all of this, else a new one."""
        with self._lock:
            # Whoever asks while a graph is made sees that; what has changed since is another job's.
            joinable = [job for job in self._unfinished() if asked or not job.is_linking]
            known = next((job for job in joinable if job.covers(order)), None)
            if known is not None:
                return known
            if self._is_leaving:
                raise _leaving()
            if len(self._waiting) >= _MOST_WAITING:
                self._count("jobs_refused")
                raise _busy(len(self._waiting))
            self._not_before = 0.0
            job = Job(order, asked=asked, ending=self._end)
            self._waiting.append(job)
            self._waiting.sort(key=lambda waiting: not waiting.state.asked)
            self._make_way()
            self._start_next()
        if job.state.error is not None:
            raise job.state.error
        return job

    def want(self, repository: Repository, settings: IndexSettings) -> None:
        """Begin one without being asked, unless the last such was no use, or somebody is at it."""
        is_due = all(job.is_linking for job in self._unfinished()) and time.monotonic() >= self._not_before
        if not is_due or lock.is_held_by_another(repository.folder):
            return
        try:
            self.begin(apart.Order(repository=repository, settings=settings), asked=False)
        except CidxError as error:
            self._not_before = time.monotonic() + _AGAIN_S
            log.get().warning("job can't be started", extra=log.fields(why=error.why))

    def find(self, job_id: object) -> Job:
        """The job with this id: waiting, running, or ended not long ago."""
        with self._lock:
            found = [
                job for job in (*self._waiting, *self._known, *self._never_started) if job.state.id == job_id
            ]
        if found:
            return found[0]
        raise CidxError(
            Code.USAGE,
            what="there is no such job",
            why="it is another daemon's, or has ended long ago",
            next_step="cidx status shows the one that runs",
        )

    def cancel(self, job: Job) -> None:
        """Have a job end soon, and not begin where it waits."""
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                self._never_started.append(job)
                self._count("jobs_cancelled")
        job.stop(CANCELLED)

    def stop_overdue(self) -> None:
        """End a job that hangs."""
        job = self._at_it()
        if job is not None and job.silent_s > _SILENT_S:
            job.stop(FAILED, _hung(job.silent_s))
            if job.silent_s > _SILENT_S + _LEAVING_S:
                # Nobody follows it: its thread never began.
                job.give_up()
                self._next()

    def describe(self) -> list[dict[str, Any]]:
        """For the status: those that run or wait, else the last one if it failed."""
        unfinished = [job.state.to_json() for job in self._unfinished()]
        if unfinished or self.failure is None:
            return unfinished
        return [self._known[-1].state.to_json()]

    def leave(self) -> None:
        """End what runs, begin nothing more."""
        with self._lock:
            self._is_leaving = True
            waiting, self._waiting = self._waiting, []
            job = self._at_it()
        for one in waiting:
            one.stop(ABANDONED)
        if job is not None:
            job.stop(ABANDONED)
            job.wait(sys.maxsize, _LEAVING_S)

    def _at_it(self) -> Job | None:
        job = self._known[-1] if self._known else None
        return job if job is not None and not job.state.has_ended else None

    def _unfinished(self) -> list[Job]:
        at_it = self._at_it()
        return [*([at_it] if at_it is not None else []), *self._waiting]

    def _next(self) -> None:
        with self._lock:
            self._start_next()

    def _make_way(self) -> None:
        """End what only makes a graph: answers do without one, and the next job goes on with it. Under the lock."""
        job = self._at_it()
        if job is not None and job.is_linking:
            job.stop(ABANDONED)

    def _start_next(self) -> None:
        """Under the lock."""
        while self._waiting and self._at_it() is None:
            job = self._waiting.pop(0)
            self._known.append(job)
            try:
                job.start(self._next)
            except (OSError, RuntimeError) as error:
                self._count("jobs_failed")
                job.stop(FAILED, _no_process(error))
                continue
            self._count("jobs_started")
            found = log.fields(kind="index", job=job.state.id, clear=job.state.clear, asked=job.state.asked)
            log.get().info("job started", extra=found)

    def _end(self, state: State) -> None:
        was_useful = state.summary is not None and _has_changed_something(state.summary)
        if state.word == CANCELLED:
            # Whoever wants one again says so.
            self._not_before = float("inf")
        elif not was_useful:
            self._not_before = time.monotonic() + _AGAIN_S
        if state.word != ABANDONED:
            self._count(f"jobs_{state.word}")
        self._told()


def _has_changed_something(summary: Summary) -> bool:
    return bool(summary.rebuilt or summary.added or summary.changed or summary.removed)


def _record(state: State, outcome: apart.Outcome) -> None:
    found: dict[str, Any] = {"kind": "index", "job": state.id, "took_ms": state.took_s * 1000}
    if state.summary is not None:
        summary = state.summary
        found |= {"generation": summary.generation, "files": summary.files, "chunks": summary.chunks}
    if state.word != FAILED:
        log.get().info("job ended", extra=log.fields(**found, state=state.word))
        return
    assert state.error is not None
    found |= {"code": state.error.code.slug, "what": state.error.what, "why": state.error.why}
    if outcome.trace:
        found["trace"] = outcome.trace
    log.get().error("job failed", extra=log.fields(**found))


def _leaving() -> CidxError:
    return CidxError(
        Code.UNREACHABLE,
        what="the daemon begins nothing any more",
        why="it is leaving",
        next_step="ask again: the next one answers",
    )


def _busy(waiting: int) -> CidxError:
    return Locked(
        what="the daemon takes no more index jobs",
        why=f"one runs and {waiting} wait, each with other settings",
        next_step="wait for them, or end them: cidx index --cancel",
    )


def _hung(silent_s: float) -> CidxError:
    return CidxError(
        Code.IO,
        what="the index job was ended",
        why=f"nothing was heard of it for {silent_s:.0f} s",
        next_step="cidx --standalone index shows where it stops",
    )


def _no_process(error: OSError | RuntimeError) -> CidxError:
    return CidxError(
        Code.IO,
        what="no process could be started for the index",
        why=getattr(error, "strerror", "") or str(error),
        next_step="cidx --standalone index",
    )
