"""What differs between a tree and a generation, by looking at stamps alone; content decides later.

Pure: a listing and a catalogue go in, three lists come out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings


def policy(settings: IndexSettings) -> str:
    """What besides its content decides whether a file is indexed; kept with the index."""
    return json.dumps([settings.max_file_bytes, sorted(settings.languages)])


@dataclass(frozen=True, slots=True)
class Changes:
    """`suspects` are known files whose stamp differs: touched, or changed. `gone` are paths."""

    new: Sequence[Entry]
    suspects: Sequence[Entry]
    gone: Sequence[bytes]

    def __bool__(self) -> bool:
        return bool(self.new or self.suspects or self.gone)

    def __len__(self) -> int:
        return len(self.new) + len(self.suspects) + len(self.gone)

    @property
    def size_bytes(self) -> int:
        """How much there is to read."""
        return sum(entry.size_bytes for entry in (*self.new, *self.suspects))


def compare(entries: Sequence[Entry], known: Mapping[bytes, bytes], *, distrust: bool = False) -> Changes:
    """`known` are stamps by path. With `distrust` every known file is a suspect: the rules have changed."""
    differing = [entry for entry in entries if distrust or known.get(entry.path) != entry.stamp]
    return Changes(
        new=[entry for entry in differing if entry.path not in known],
        suspects=[entry for entry in differing if entry.path in known],
        gone=sorted(known.keys() - {entry.path for entry in entries}),
    )
