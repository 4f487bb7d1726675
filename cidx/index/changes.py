"""What differs between a tree and a generation, by looking at stats alone; content decides later.

Pure: a listing and a catalogue go in, three lists come out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cidx.index.files import Entry
from cidx.store.records import FileRow


@dataclass(frozen=True, slots=True)
class Changes:
    """`suspects` are known files whose stat differs: touched, or changed."""

    new: tuple[Entry, ...]
    suspects: tuple[tuple[Entry, FileRow], ...]
    gone: tuple[FileRow, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.suspects or self.gone)

    def __len__(self) -> int:
        return len(self.new) + len(self.suspects) + len(self.gone)

    @property
    def size_bytes(self) -> int:
        """How much there is to read."""
        return sum(e.stat.size for e in self.new) + sum(e.stat.size for e, _ in self.suspects)


def compare(entries: Iterable[Entry], known: Iterable[FileRow], *, distrust: bool = False) -> Changes:
    """With `distrust` every known file is a suspect: the rules of what is indexed have changed."""
    remaining = {row.path: row for row in known}
    new, suspects = [], []
    for entry in entries:
        row = remaining.pop(entry.path, None)
        if row is None:
            new.append(entry)
        elif distrust or row.stat != entry.stat:
            suspects.append((entry, row))
    return Changes(tuple(new), tuple(suspects), tuple(remaining.values()))
