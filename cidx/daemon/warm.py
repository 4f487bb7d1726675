"""The warm side of a repository: its open generation, what was asked of it lately, and whether the tree still agrees.

Requests lease an immutable snapshot; a newer generation replaces the reference, and the old one closes with its last
lease. However many ask at once, a generation is opened once and the tree is looked at once.

What is heavy (numpy, tantivy) is imported where it is used, so that a daemon accepts before it has all.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cidx.api.answer import Freshness, Hit
from cidx.api.errors import CidxError, Code, Damaged, NotIndexed
from cidx.api.query import Query
from cidx.client import address
from cidx.daemon.answers import Answers
from cidx.daemon.jobs import Job, Jobs
from cidx.daemon.service import Reply
from cidx.daemon.vitals import Vitals
from cidx.daemon.watched import WatchedTree
from cidx.index import apart
from cidx.repository import limits, lock
from cidx.repository import repository as repositories
from cidx.repository import settings as all_settings
from cidx.repository.repository import Repository, UserFolders
from cidx.repository.settings import Settings

if TYPE_CHECKING:
    from cidx.store.snapshot import Snapshot

# How long the answer to "may this folder be used" holds: asking takes a git process.
_TRUST_S = 10.0
# What a hit takes besides its text, and each line of it that matches (tracemalloc, of 4,000 hits).
_HIT_BYTES, _MATCH_BYTES = 600, 140


class _Open:
    """An open generation and who uses it."""

    def __init__(self, index: Path, *, lean: bool) -> None:
        from cidx.store.follower import Follower
        from cidx.store.snapshot import open_current

        self.snapshot = open_current(index, lean=lean)
        self.follower = Follower(index)
        self.files, self.chunks = self.snapshot.catalogue.counts()
        self.leases = 0
        self.retired = False

    def has_aged(self) -> bool:
        try:
            return self.follower.has_passed(self.snapshot.generation)
        except (CidxError, OSError):
            # Whatever happened to the files on disk, opening them again tells.
            return True

    def close(self) -> None:
        self.follower.close()
        self.snapshot.close()


class Warm:
    """What a session in the daemon gets its answers from. Safe to share between threads."""

    served_by = "daemon"

    def __init__(self, root: Path, users: UserFolders, vitals: Vitals) -> None:
        self._users = users
        self._vitals = vitals
        self._lock = threading.Lock()
        self._open: _Open | None = None
        self._repository = repositories.at(root, users)
        self._trusted = time.monotonic()
        self._trusting = threading.Lock()
        self._settings: tuple[object, Settings] | None = None
        self.jobs = Jobs(self._job_has_ended, vitals.event)
        self._tree = WatchedTree(self.published, vitals, self._want, lambda: self.jobs.is_indexing)
        self._answers = Answers()
        self.is_lean = False
        self._limit_mb = limits.derived_mb(self._repository)

    # What a session asks

    def repository(self, directory: Path) -> Repository:
        root = address.find_root(str(directory), home=str(self._users.home))
        if root is None or address.repository_id(root) != self._repository.id:
            raise CidxError(
                Code.USAGE,
                what=f"this daemon serves {self._repository.root}",
                why=f"{directory} belongs to {root or 'no repository'}",
                next_step=f"ask the daemon of that repository, or run: cidx --standalone -C {directory} query …",
            )
        if self._trust_is_old():
            # One asks, however many want to know.
            with self._trusting:
                if self._trust_is_old():
                    self._repository = repositories.at(self._repository.root, self._users)
                    self._trusted = time.monotonic()
        return self._repository

    def settings(self, repository: Repository, environment: Mapping[str, str]) -> Settings:
        """As the files say now: they are read again when they change."""
        files = (repository.folder / all_settings.FILE, self._users.config / all_settings.FILE)
        own = tuple(sorted(item for item in environment.items() if item[0].startswith("CIDX_")))
        key = (own, *(_identity(file) for file in files))
        known = self._settings
        if known is None or known[0] != key:
            known = self._settings = (
                key,
                all_settings.load(repository.folder, self._users.config, environment),
            )
        return known[1]

    @contextmanager
    def published(self, repository: Repository) -> "Iterator[Snapshot]":
        """The generation published last, as long as it is needed."""
        held = self._lease(repository)
        try:
            yield held.snapshot
        finally:
            self._release(held)

    @contextmanager
    def fresh(self, repository: Repository, settings: Settings) -> "Iterator[tuple[Snapshot, Freshness]]":
        """The generation to answer from, and how fresh it is. What it takes to answer better is begun."""
        try:
            fresh = self._tree.fresh(repository, settings)
            held = self._lease(repository)
        except (NotIndexed, Damaged) as error:
            raise self._in_the_making(error, repository, settings) from None
        try:
            if settings.daemon.auto_index and not (fresh.fresh and _is_of_our_model(held.snapshot)):
                self._want(repository, settings)
            yield held.snapshot, self._told(fresh)
        finally:
            self._release(held)

    def hits(
        self, snapshot: "Snapshot", fresh: Freshness, query: Query, retrieve: Callable[[], list[Hit]]
    ) -> tuple[Hit, ...]:
        """What was found for the same question in the same state, else what is found now."""
        state = self._state(snapshot.generation, fresh)
        found: tuple[Hit, ...] | None = self._answers.get(state, query)
        self._vitals.event("cache_misses" if found is None else "cache_hits")
        if found is None:
            found = tuple(retrieve())
            self._answers.keep(state, query, found, size_bytes=sum(map(_size_bytes, found)))
        return found

    # What the daemon asks

    def index(self, directory: Path, environment: Mapping[str, str], *, clear: bool) -> Job:
        """The job that brings the index up to date: the one that runs, or a new one."""
        repository = self.repository(directory)
        settings = self.settings(repository, environment).index
        return self.jobs.begin(apart.Order(repository=repository, settings=settings, clear=clear))

    def reply(
        self,
        question: Hashable,
        directory: Path,
        environment: Mapping[str, str],
        answer: Callable[[], tuple[Reply, bool]],
    ) -> Reply:
        """What was said to the same question in the same state, else what `answer` says now.

        It also says whether the same could be said again; that holds only if nothing changed meanwhile.
        """
        if question in self._answers:
            known: Reply | None = self._answers.get(self._checked_state(directory, environment), question)
            if known is not None:
                self._vitals.event("cache_hits")
                return known
        before = (self._tree.looks, self._known_state())
        said, repeatable = answer()
        after = (self._tree.looks, self._known_state())
        if repeatable and before == after and after[1] is not None:
            self._answers.keep(after[1], question, said, size_bytes=len(said.out) + len(said.err))
        return said

    def is_open(self) -> bool:
        return self._open is not None

    def describe(self) -> dict[str, object]:
        """For the status: what is held."""
        with self._lock:
            held = self._open
            return {
                "open": held is not None,
                "generation": held.snapshot.generation if held else None,
                "files": held.files if held else 0,
                "chunks": held.chunks if held else 0,
                "vectors": len(held.snapshot.vectors) if held else 0,
                "answers": len(self._answers),
                "answer_bytes": self._answers.size_bytes,
                "lean": self.is_lean,
                "bytes": (held.snapshot.vectors.size_bytes if held else 0) + self._answers.size_bytes,
                **self._tree.describe(),
            }

    def clear(self) -> None:
        """Give the memory back; what is being used goes with its last use."""
        with self._lock:
            self._retire()
            self._answers.clear()
        self._tree.forget()

    # What the keeper of its memory asks

    @property
    def derived_limit_mb(self) -> int:
        """The memory that this index deserves, if the settings don't say."""
        return self._limit_mb

    @property
    def keeps_answers(self) -> bool:
        return self._answers.are_kept

    def keep_answers(self, whether: bool) -> None:
        self._answers.are_kept = whether
        if not whether:
            self._vitals.event("answers_dropped")

    def open_anew(self, *, lean: bool) -> None:
        """Have the next question open the generation again: lean, for words alone, or whole."""
        with self._lock:
            self.is_lean = lean
            self._retire()
        if lean:
            self._vitals.event("meaning_dropped")

    # Plumbing

    def _trust_is_old(self) -> bool:
        return time.monotonic() - self._trusted > _TRUST_S

    def _state(self, generation: int, fresh: Freshness) -> Hashable:
        """Differs whenever an answer may: a file that has changed may have changed again at each look."""
        return (generation, self.is_lean, fresh, 0 if fresh.fresh else self._tree.looks)

    def _known_state(self) -> Hashable:
        held = self._open
        return (
            self._state(held.snapshot.generation, self._told(self._tree.last)) if held is not None else None
        )

    def _checked_state(self, directory: Path, environment: Mapping[str, str]) -> Hashable:
        """The state that an answer for this folder would come from now; None where it would be an error."""
        try:
            repository = self.repository(directory)
            with self.fresh(repository, self.settings(repository, environment)) as (snapshot, fresh):
                return self._state(snapshot.generation, fresh)
        except (CidxError, OSError):
            return None

    def _want(self, repository: Repository, settings: Settings) -> None:
        self.jobs.want(repository, settings.index)

    def _told(self, fresh: Freshness) -> Freshness:
        """With whether what is missing is on its way."""
        return fresh if fresh.fresh or self.jobs.running is None else replace(fresh, indexing=True)

    def _in_the_making(self, error: CidxError, repository: Repository, settings: Settings) -> CidxError:
        """What to say instead of an answer: that an index is being made, and how far it is."""
        if settings.daemon.auto_index:
            self._want(repository, settings)
        next_step = "ask again when it is done; cidx index shows how far it is"
        if (job := self.jobs.running) is not None:
            done = f"{job.progress.files_done} of {job.progress.files_total} files"
            how_far = done if job.progress.files_total else job.progress.phase
            return NotIndexed(what=error.what, why=f"it is being made: {how_far}", next_step=next_step)
        if who := lock.holder(repository.folder):
            return NotIndexed(
                what=error.what, why=f"it is being made right now, by {who}", next_step=next_step
            )
        if (failure := self.jobs.failure) is not None:
            why = f"{error.why}; {failure.what}: {failure.why}"
            return CidxError(error.code, what=error.what, why=why, next_step=failure.next_step)
        return error

    def _job_has_ended(self) -> None:
        self._vitals.wanted()
        self._tree.look_again()

    def _lease(self, repository: Repository) -> _Open:
        with self._lock:
            if self._open is not None and self._open.has_aged():
                self._retire()
            if self._open is None:
                self._open = _Open(repository.index_folder, lean=self.is_lean)
                self._limit_mb = limits.derived_mb(repository)
                self._vitals.event("generations_opened")
            self._open.leases += 1
            return self._open

    def _release(self, held: _Open) -> None:
        with self._lock:
            held.leases -= 1
            if held.retired and held.leases == 0:
                held.close()

    def _retire(self) -> None:
        held, self._open = self._open, None
        if held is not None:
            held.retired = True
            if held.leases == 0:
                held.close()


def _size_bytes(hit: Hit) -> int:
    """About what a hit takes of memory."""
    return _HIT_BYTES + len(hit.text) + _MATCH_BYTES * len(hit.matches)


def _is_of_our_model(snapshot: "Snapshot") -> bool:
    from cidx.text import embedder

    return snapshot.model == embedder.packaged().version


def _identity(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
