"""The index job of a repository: one at a time, and whoever asks joins it.

A job belongs to nobody: its process (`cidx.index.apart`) goes on whoever watches, and a thread here notes what it says.
Watchers ask for whatever is newer than what they have `seen`, and are never waited for. Safe to share between threads.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cidx import log
from cidx.api.errors import CidxError, Code
from cidx.index import apart
from cidx.index.progress import Progress, Summary
from cidx.repository import lock
from cidx.repository.repository import Repository
from cidx.repository.settings import IndexSettings

RUNNING, DONE, FAILED, CANCELLED, ABANDONED = "running", "done", "failed", "cancelled", "abandoned"
_STARTING = Progress("starting")
# A job that nobody asked for and that was no use is not tried again so soon.
_AGAIN_S = 60.0
# Watchers of a job that has ended may ask a little later than another one has begun.
_MOST_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a job is at one moment. `seen` grows with every change; `abandoned` is one whose daemon leaves."""

    id: str
    clear: bool
    since: float
    word: str = RUNNING
    seen: int = 1
    progress: Progress = _STARTING
    took_s: float = 0.0
    summary: Summary | None = None
    no_graph: str = ""
    error: CidxError | None = None

    @property
    def has_ended(self) -> bool:
        return self.word != RUNNING

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": "index",
            "clear": self.clear,
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
    """One run in its process, and what is known of it."""

    def __init__(self, order: apart.Order, ended: Callable[[State], None]) -> None:
        self._ended = ended
        self._changed = threading.Condition()
        self._ends_as = FAILED
        self._started = time.monotonic()
        self.state = State(id=secrets.token_hex(8), clear=order.clear, since=time.time())
        self._run = apart.Run(order)
        self._follower = threading.Thread(target=self._follow, name="job", daemon=True)
        self._follower.start()

    def wait(self, seen: int, timeout_s: float) -> State:
        """As soon as there is something newer than what was seen; as it is, once the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.state.seen > seen or self.state.has_ended, timeout_s)
            return self.state

    def cancel(self) -> None:
        """Have it end soon; an answer that is on its way counts all the same."""
        self._stop(CANCELLED)

    def abandon(self) -> None:
        """Have it end, because the daemon does, and wait for that."""
        self._stop(ABANDONED)
        self._follower.join()

    def _stop(self, word: str) -> None:
        with self._changed:
            if self._ends_as == FAILED:
                self._ends_as = word
        self._run.stop()

    def _follow(self) -> None:
        for said in self._run.said():
            if isinstance(said, Progress):
                self._note(replace(self.state, progress=said))
            else:
                last = self._last(said)
                _record(last, said)
                # Who hears of the end finds what follows from it done; whatever becomes of that, it has ended.
                try:
                    self._ended(last)
                finally:
                    self._note(last)

    def _last(self, outcome: apart.Outcome) -> State:
        word = DONE if outcome.summary is not None else self._ends_as
        took_s = time.monotonic() - self._started
        return replace(
            self.state,
            word=word,
            took_s=took_s,
            summary=outcome.summary,
            no_graph=outcome.no_graph,
            error=outcome.error if word == FAILED else None,
        )

    def _note(self, state: State) -> None:
        with self._changed:
            self.state = replace(state, seen=self.state.seen + 1)
            self._changed.notify_all()


class Jobs:
    """The jobs of one daemon. `ended` is told of each end, before those who wait for it."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._told = ended
        self._lock = threading.Lock()
        self._known: deque[Job] = deque(maxlen=_MOST_KEPT)
        self._not_before = 0.0
        self._is_leaving = False

    @property
    def running(self) -> State | None:
        job = self._last()
        return job.state if job is not None and not job.state.has_ended else None

    @property
    def failure(self) -> CidxError | None:
        """Of the last job, if it has ended so."""
        job = self._last()
        return job.state.error if job is not None else None

    def begin(self, order: apart.Order) -> Job:
        """The running job, else a new one."""
        with self._lock:
            job = self._last()
            if job is not None and not job.state.has_ended:
                return job
            if self._is_leaving:
                raise _leaving()
            self._not_before = 0.0
            try:
                job = Job(order, self._end)
            except OSError as error:
                raise _no_process(error) from error
            self._known.append(job)
        log.get().info("job started", extra=log.fields(kind="index", job=job.state.id, clear=order.clear))
        return job

    def want(self, repository: Repository, settings: IndexSettings) -> None:
        """Begin one without being asked, unless the last such was no use, or somebody else is at it."""
        if self.running is not None or time.monotonic() < self._not_before or lock.holder(repository.folder):
            return
        try:
            self.begin(apart.Order(repository=repository, settings=settings))
        except CidxError as error:
            self._not_before = time.monotonic() + _AGAIN_S
            log.get().warning("job can't be started", extra=log.fields(why=error.why))

    def find(self, job_id: object) -> Job:
        """The job with this id, running or ended not long ago."""
        for job in list(self._known):
            if job.state.id == job_id:
                return job
        raise CidxError(
            Code.USAGE,
            what="there is no such job",
            why="it is another daemon's, or has ended long ago",
            next_step="cidx status shows the one that runs",
        )

    def describe(self) -> list[dict[str, Any]]:
        """For the status: the one that runs, or the last one if it failed."""
        job = self._last()
        return [job.state.to_json()] if job is not None and job.state.word in (RUNNING, FAILED) else []

    def leave(self) -> None:
        """End what runs, begin nothing more."""
        with self._lock:
            self._is_leaving = True
            job = self._last()
        if job is not None and not job.state.has_ended:
            job.abandon()

    def _last(self) -> Job | None:
        return self._known[-1] if self._known else None

    def _end(self, state: State) -> None:
        was_useful = state.summary is not None and _has_changed_something(state.summary)
        if state.word == CANCELLED:
            # Whoever wants one again says so.
            self._not_before = float("inf")
        elif not was_useful:
            self._not_before = time.monotonic() + _AGAIN_S
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


def _no_process(error: OSError) -> CidxError:
    return CidxError(
        Code.IO,
        what="no process could be started for the index",
        why=error.strerror or str(error),
        next_step="cidx --standalone index",
    )
