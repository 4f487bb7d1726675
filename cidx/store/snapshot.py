"""One published generation, open for reading: it never changes and never waits for a writer.

Opening reads the generation, opens full text, then pins the catalogue; if the generation moved meanwhile, it opens
again. That is enough: full text holds every chunk of the current generation and of the next.
"""

import errno
from pathlib import Path

from cidx.api.errors import CidxError, Code, Damaged
from cidx.store import layout
from cidx.store.catalogue import Catalogue
from cidx.store.fulltext import FullText
from cidx.store.vectors import Vectors

# Publications that may overtake an opening; each try takes milliseconds.
_TRIES = 50


class Snapshot:
    """The open generation. Safe to share between threads; `close` ends it for all."""

    def __init__(self, base: layout.Base) -> None:
        self.catalogue = Catalogue.open_to_read(base.catalogue)
        try:
            self._pin(base)
            self.generation: int = self.catalogue.meta("generation")
            self.model: str = self.catalogue.meta("model")
            self.policy: str = self.catalogue.meta("policy")
            self.vectors = Vectors(base.vectors, self.catalogue.meta("rows"))
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

    def close(self) -> None:
        self.catalogue.close()

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_current(index: Path) -> Snapshot:
    """The generation published last.

    A rebuild may replace the base and delete it while it is being opened; what was opened is whole if the
    pointer still names it afterwards.
    """
    base = layout.current(index)
    while True:
        opened = _try(base)
        newest = layout.current(index)
        if newest == base:
            if isinstance(opened, Snapshot):
                return opened
            raise opened
        if isinstance(opened, Snapshot):
            opened.close()
        base = newest


def _try(base: layout.Base) -> Snapshot | CidxError:
    """The generation in a base, or why it can't be opened."""
    try:
        return Snapshot(base)
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
