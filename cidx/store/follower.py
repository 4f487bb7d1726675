"""Tells, for the price of three system calls, whether something was published after a snapshot was opened."""

import os
from pathlib import Path

from cidx.store import layout
from cidx.store.catalogue import Catalogue


class Follower:
    """Remembers what was current when it was made. Safe to share between threads."""

    def __init__(self, index: Path) -> None:
        self._pointer = index / layout.POINTER
        base = layout.current(index)
        self._graph = base.graph
        self._base = self._identity()
        self._catalogue = Catalogue.open(base.catalogue)
        self._version = self._catalogue.version()

    def has_passed(self, generation: int) -> bool:
        """Whether the pointer was replaced, or a later generation or a graph was published in the same base."""
        if self._identity() != self._base:
            return True
        version = self._catalogue.version()
        if version == self._version:
            return False
        # Commits that only note the stamps of touched files make no generation.
        self._version = version
        return bool(self._catalogue.meta("generation") != generation)

    def close(self) -> None:
        self._catalogue.close()

    def _identity(self) -> tuple[int, ...]:
        return (*_identity(self._pointer), *_identity(self._graph))


def _identity(file: Path) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)
