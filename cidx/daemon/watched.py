"""Whether the tree still agrees with the published generation: looked at when asked, watched in between.

While it is watched, a look costs what has changed and not what there is, and a quiet tree costs nothing. What somebody
has written before asking is in the answer: what the system has noted is read before each one. Edits are brought in soon
after they are made, so that the next answer need not wait. Where the system can't watch so much, the tree is looked at
now and then. Safe to share between threads.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cidx import log
from cidx.api.answer import Freshness
from cidx.api.errors import CidxError
from cidx.daemon import process
from cidx.daemon.leftovers import Leftovers
from cidx.daemon.vitals import Vitals
from cidx.repository.repository import Repository
from cidx.repository.settings import Settings

if TYPE_CHECKING:
    from cidx.index.changes import Changes
    from cidx.index.watch import Touched, Watch
    from cidx.store.snapshot import Snapshot

# Where nothing is watched: a look this young answers for itself; one a little older is renewed beside the answer, and
# only one older still makes the answer wait.
_RENEW_S = 1.0
_TOO_OLD_S = 5.0
# What the run before has left to do may take an answer as long as small changes may; then it does without them.
_PATIENCE_S = 1.0
# So long is waited for memory that there is none of now.
_BREATH_S = 0.05
# A storm is waited out so many times as long as the last look took: then looking takes no more than its share.
_SHARE = 10

Published = Callable[[Repository], "AbstractContextManager[Snapshot]"]
Behind = Callable[[Repository, Settings], None]


class WatchedTree:
    """The tree of one repository. `looks` grows when it is looked at, and when it changes while nobody looks.

    `behind` is told when more has changed than is brought in here, and `is_indexing` tells whether somebody is at that.
    """

    def __init__(
        self, published: Published, vitals: Vitals, behind: Behind, is_indexing: Callable[[], bool]
    ) -> None:
        self._published = published
        self._behind = behind
        self._is_indexing = is_indexing
        self._vitals = vitals
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._leftovers = Leftovers()
        self._freshness = Freshness()
        self._looked_at: float | None = None
        self._look_took_s = 0.0
        self._generation = 0
        self._asked: tuple[Repository, Settings] | None = None
        self._watch: Watch | None = None
        # Stands for the thread that watches.
        self._follower: object | None = None
        self._touched: Touched | None = None
        self._unwatchable = ""
        self.looks = 0

    @property
    def last(self) -> Freshness:
        """As it was seen last."""
        return self._freshness

    def fresh(self, repository: Repository, settings: Settings) -> Freshness:
        """How fresh the published generation is now, with small changes brought in."""
        self._ask(repository, settings)
        if self._is_of_another_generation(repository):
            self._looked_at = None
        if self._watch is None:
            self._look_now_and_then()
        elif self._has_been_touched():
            self._catch_up()
        return self._freshness

    def look_again(self) -> None:
        """Look at everything now, where anybody has asked: much of it may have been brought in."""
        if self._looked_at is None:
            return
        with self._looking:
            self._looked_at = None
            try:
                self._look()
            except (CidxError, OSError) as error:
                log.get().debug("look failed", extra=log.fields(why=str(error)))

    def forget(self) -> None:
        """Watch no more, and look at everything when asked again."""
        with self._lock:
            self._looked_at, self._touched = None, None
            watch, self._watch, self._follower = self._watch, None, None
        if watch is not None:
            watch.stop()

    def describe(self) -> dict[str, object]:
        """For the status."""
        watch = self._watch
        return {
            "changed_files": self._freshness.changed_files,
            "watched_folders": len(watch) if watch is not None else 0,
            "unwatchable": self._unwatchable,
        }

    # Looking

    def _ask(self, repository: Repository, settings: Settings) -> None:
        """Note who asks how; the first one has the tree watched from then on."""
        with self._lock:
            if self._asked is not None and self._asked[1].index != settings.index:
                self._looked_at, self._touched = None, None
            self._asked = (repository, settings)
            if self._follower is None and not self._unwatchable:
                self._follower = object()
                self._begin(self._follow, repository, self._follower)

    def _is_of_another_generation(self, repository: Repository) -> bool:
        """Whether somebody has published since changes were found, which may be in that."""
        if self._freshness.fresh or self._looked_at is None:
            return False
        with self._published(repository) as snapshot:
            return snapshot.generation != self._generation

    def _catch_up(self) -> None:
        if self._is_being_brought_in():
            self.looks += 1
            return
        with self._looking:
            if self._has_been_touched():
                self._look()

    def _is_being_brought_in(self) -> bool:
        """Whether a job is at what was found; until it has ended no look would find the tree fresh."""
        return not self._freshness.fresh and self._looked_at is not None and self._is_indexing()

    def _look_now_and_then(self) -> None:
        if self._age_s() >= _TOO_OLD_S:
            with self._looking:
                if self._age_s() >= _TOO_OLD_S:
                    self._look()
        elif self._age_s() >= _RENEW_S and not self._looking.locked():
            self._begin(self._look_aside)

    def _look_aside(self) -> None:
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look()
        except (CidxError, OSError):
            # The next answer has to look for itself, and tells.
            self._looked_at = None
        finally:
            self._looking.release()

    def _age_s(self) -> float:
        return float("inf") if self._looked_at is None else time.monotonic() - self._looked_at

    def _has_been_touched(self) -> bool:
        """Whether there is something to look at."""
        with self._lock:
            if self._watch is not None:
                found = self._watch.touched()
                self._touched = found if self._touched is None else self._touched | found
            return self._looked_at is None or bool(self._touched)

    def _look(self) -> None:
        """Look at what was touched, and bring small changes in. Under `_looking`."""
        with self._lock:
            assert self._asked is not None
            repository, settings = self._asked
            touched, self._touched = self._touched, None
            partly = touched is not None and self._looked_at is not None and self._freshness.fresh
            # Until this look has ended well the next one has to look at everything.
            self._looked_at = None
        started = time.monotonic()
        with self._published(repository) as snapshot:
            found = self._changes(snapshot, repository, settings, touched if partly else None)
            self._freshness = self._brought_in(repository, snapshot, found, settings)
            self._generation = snapshot.generation
        self._looked_at = started
        self._look_took_s = time.monotonic() - started
        self.looks += 1
        self._vitals.event("looks")
        if not self._freshness.fresh and settings.daemon.auto_index:
            self._behind(repository, settings)

    def _brought_in(
        self, repository: Repository, snapshot: "Snapshot", found: "Changes", settings: Settings
    ) -> Freshness:
        """What is left of the changes once the small ones are in. A bug of ours costs them, and not the answer."""
        from cidx.index import freshness
        from cidx.text import embedder

        if found:
            self._leftovers.finish(_PATIENCE_S)
        later = contextlib.ExitStack()
        try:
            fresh, has_published = freshness.refresh(
                repository, snapshot, found, settings=settings, embedder=embedder.packaged(), later=later
            )
        except (CidxError, OSError, MemoryError):
            raise
        except Exception:
            where = log.fields(path=repository.root, files=len(found))
            log.get().error("changes can't be brought in", exc_info=True, extra=where)
            return Freshness(changed_files=len(found))
        if has_published:
            self._leftovers.add(later)
        return fresh

    def _changes(
        self, snapshot: "Snapshot", repository: Repository, settings: Settings, touched: "Touched | None"
    ) -> "Changes":
        from cidx.index import freshness
        from cidx.index.files import Listing

        if touched is not None and not touched.everything:
            found = freshness.look_at(repository, snapshot, touched.paths, settings.index)
            if found is not None:
                if (watch := self._watch) is not None:
                    watch.pass_over(found[1])
                return found[0]
        with Listing(repository) as listing:
            return freshness.look(snapshot, listing, settings.index)

    # Watching

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        """Do something in a thread beside the answers, if there can be one."""
        try:
            process.start_thread(target, *arguments)
        except RuntimeError as error:
            log.get().warning("no thread for the tree", extra=log.fields(why=str(error)))

    def _follow(self, repository: Repository, follower: object) -> None:
        """Watch until told to stop: a thread's life."""
        from cidx.index.watch import Watch

        try:
            watch = Watch(repository)
        except OSError as error:
            self._unwatchable = error.strerror or str(error)
            log.get().warning("tree can't be watched", extra=log.fields(why=self._unwatchable))
            return
        try:
            with self._lock:
                if self._follower is not follower:
                    return
                self._watch = watch
            log.get().debug("tree watched", extra=log.fields(folders=len(watch)))
            self._bring_in_if_it_can(watch)
            while watch.wait():
                self._bring_in_if_it_can(watch)
        finally:
            with self._lock:
                if self._watch is watch:
                    self._watch = None
            watch.close()

    def _bring_in_if_it_can(self, watch: "Watch") -> None:
        try:
            self._bring_in(watch)
        except MemoryError:
            # What happened meanwhile may not have been noted: the next answer looks at everything.
            self._looked_at = None
            time.sleep(_BREATH_S)

    def _bring_in(self, watch: "Watch") -> None:
        """Wait until a burst of changes is over, and look."""
        from cidx.index.watch import BURST_S

        watch.settle(max(BURST_S, _SHARE * self._look_took_s))
        self._leftovers.finish()
        with self._looking:
            if self._watch is watch and self._has_been_touched():
                try:
                    self._look()
                except (CidxError, OSError) as error:
                    log.get().debug("look failed", extra=log.fields(why=str(error)))
