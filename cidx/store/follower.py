"""Tells, for the price of three system calls, whether something was published after a snapshot was opened."""

import os
from pathlib import Path

from cidx.store import layout
from cidx.store.catalogue import Catalogue


class Follower:
    """Remembers what was current when it was made. Safe to share between threads.

    Where SQLite can't share its files, as on a full disk, whatever is written to them counts.
    """

    def __init__(self, index: Path) -> None:
        self._pointer = index / layout.POINTER
        base = layout.current(index)
        self._graph = base.graph
        self._files = (base.catalogue, base.catalogue.with_name(base.catalogue.name + "-wal"))
        self._base = self._identity()
        self._written = self._identity_of_files()
        self._catalogue: Catalogue | None = Catalogue.open(base.catalogue)
        try:
            self._version = self._catalogue.version()
        except OSError:
            self._catalogue.close()
            self._catalogue = None

    def has_passed(self, generation: int) -> bool:
        """Whether the pointer was replaced, or a later generation or a graph was published in the same base."""
        if self._identity() != self._base:
            return True
        if self._catalogue is None:
            return self._identity_of_files() != self._written
        version = self._catalogue.version()
        if version == self._version:
            return False
        # Commits that only note the stamps of touched files make no generation.
        self._version = version
        return bool(self._catalogue.meta("generation") != generation)

    def close(self) -> None:
        if self._catalogue is not None:
            self._catalogue.close()

    def _identity_of_files(self) -> tuple[int, ...]:
        return tuple(part for file in self._files for part in _identity(file))

    def _identity(self) -> tuple[int, ...]:
        return (*_identity(self._pointer), *_identity(self._graph))


def _identity(file: Path) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)
