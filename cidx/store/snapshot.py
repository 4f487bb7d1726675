"""One published generation, open for reading: it never changes and never waits for a writer.

Opening reads the generation, opens full text, then pins the catalogue; if the generation moved meanwhile, it opens
again. That is enough: full text holds every chunk of the current generation and of the next.
"""

import errno
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from cidx.api.errors import CidxError, Code, Damaged
from cidx.store import graph, layout, policies
from cidx.store.catalogue import Catalogue
from cidx.store.fulltext import FullText
from cidx.store.vectors import Probe, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Publications that may overtake an opening; each try takes milliseconds.
_TRIES = 50
# Answers to `kept` may hold a number for each file of the repository.
_MOST_KEPT = 8
Kept = TypeVar("Kept")


class Snapshot:
    """The open generation. Safe to share between threads; `close` ends it for all.

    A lean one holds nothing for meaning: it is answered by words, and looking for rows takes a scan of them all.
    """

    def __init__(self, base: layout.Base, *, lean: bool = False) -> None:
        self.base = base
        self.lean = lean
        self._lock = threading.Lock()
        self._kept: dict[Hashable, object] = {}
        self.catalogue = Catalogue.open_to_read(base.catalogue)
        try:
            self._pin(base)
            self.generation: int = self.catalogue.meta("generation")
            self.model: str = self.catalogue.meta("model")
            self.policy: str = self.catalogue.meta("policy")
            self.vectors = Vectors(base.vectors, self.catalogue.meta("rows"))
            self.graph = None if lean else graph.find(base, self.vectors)
        except BaseException:
            self.catalogue.close()
            raise

    def _pin(self, base: layout.Base) -> None:
        for _ in range(_TRIES):
            before = self.catalogue.meta("generation")
            self.fulltext = FullText(base.fulltext)
            self.catalogue.begin_reading()
            if self.catalogue.meta("generation") == before:
                return
            self.catalogue.commit()
        raise Damaged(what=f"the index in {base.folder} can't be pinned", why="it is published without pause")

    def nearest(
        self,
        probe: Probe,
        *,
        width: int,
        least: float,
        rows: "NDArray[np.intp] | None" = None,
        effort: float = 1.0,
    ) -> "tuple[NDArray[np.intp], NDArray[np.float32]]":
        """The rows, of all or of the given ones, whose cosines with a query are highest, and these, best first.

        At most `width`, none below `least`; of equal ones the lower row. The cosines are exact. In a large set some row
        that belongs here may be missed, the same one in every process, and hardly ever one of the first ten; with
        twice the `effort` about twice as many rows are looked at, and fewer are missed.
        """
        among = rows
        if rows is None and self.graph is not None:
            among = self.graph.candidates(probe, width=width, effort=effort)
        if among is rows and not self.lean:
            among = self.vectors.candidates(probe, width=width, rows=rows, effort=effort)
        scores = self.vectors.scores(probe, among)
        best = np.flatnonzero(scores >= max(least, _threshold(scores, width)))
        found = best if among is None else among[best]
        order = np.lexsort((found, -scores[best]))[:width]
        return found[order], scores[best][order]

    def kept(self, question: Hashable, work_out: Callable[[], Kept]) -> Kept:
        """What follows from this generation alone: worked out once and kept with it, the last few of all questions."""
        with self._lock:
            if question in self._kept:
                self._kept[question] = self._kept.pop(question)
                return cast("Kept", self._kept[question])
        found = work_out()
        with self._lock:
            self._kept[question] = found
            if len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    @property
    def largest_file_bytes(self) -> int:
        """No file was indexed that was larger: what has been added to one since need not be read."""
        return policies.largest_file_bytes(self.policy)

    def close(self) -> None:
        self.catalogue.close()

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _threshold(scores: "NDArray[np.float32]", width: int) -> float:
    """The score that the best `width` have at least."""
    if width >= len(scores):
        return -np.inf
    return float(np.partition(scores, len(scores) - width)[len(scores) - width])


def open_current(index: Path, *, lean: bool = False) -> Snapshot:
    """The generation published last.

    A rebuild may replace the base and delete it while it is being opened; what was opened is whole if the
    pointer still names it afterwards.
    """
    base = layout.current(index)
    while True:
        opened = _try(base, lean)
        newest = layout.current(index)
        if newest == base:
            if isinstance(opened, Snapshot):
                return opened
            raise opened
        if isinstance(opened, Snapshot):
            opened.close()
        base = newest


def _try(base: layout.Base, lean: bool) -> Snapshot | CidxError:
    """The generation in a base, or why it can't be opened."""
    try:
        return Snapshot(base, lean=lean)
    except Damaged as error:
        return error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return CidxError(
            Code.DISK_FULL if full else Code.IO,
            what=f"the index in {base.folder} can't be read",
            why="the disk is full" if full else f"{error.strerror or error}",
            next_step=f"{'free some space on' if full else 'check the permissions and'} the disk of {base.folder}",
        )
