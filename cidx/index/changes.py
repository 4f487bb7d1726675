"""What differs between a tree and a generation, by looking at stamps alone; content decides later.

Pure: a listing and a catalogue go in, three lists come out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings
from cidx.store import policies, source

# Changes with the rules for which files are indexed and how their text is read, which makes every file be read again.
_RULES = 2


def policy(settings: IndexSettings, attributes: str) -> str:
    """What besides its content decides whether a file is indexed; kept with the index.

    `attributes` stand for what the tree's attributes say (see `attributes.digest`).
    """
    return policies.text(
        largest_file_bytes=settings.max_file_bytes,
        languages=settings.languages,
        rules=_RULES,
        attributes=attributes,
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """`suspects` are known files whose stamp differs: touched, or changed. `gone` are paths.

    `distrust` says that every known file is a suspect, because the rules have changed.
    """

    new: Sequence[Entry]
    suspects: Sequence[Entry]
    gone: Sequence[bytes]
    distrust: bool = False

    def __bool__(self) -> bool:
        return bool(self.new or self.suspects or self.gone)

    def __len__(self) -> int:
        return len(self.new) + len(self.suspects) + len(self.gone)

    def size_bytes(self, *, limit: int) -> int:
        """How much there is to read where files above the limit are not."""
        sizes = (entry.size_bytes for entry in (*self.new, *self.suspects))
        return sum(size for size in sizes if size <= limit)


def compare(
    entries: Sequence[Entry], known: Mapping[bytes, bytes], *, limit: int, distrust: bool = False
) -> Changes:
    """`known` are stamps by path. With `distrust` every known file is a suspect: the rules have changed.

    A file that was above the size limit and still is has not changed: a log may grow on.
    """
    stamp_of = known.get
    differing = [entry for entry in entries if distrust or stamp_of(entry[0]) != entry[2]]
    new = [entry for entry in differing if entry.path not in known]
    all_there = len(entries) - len(new) == len(known)
    return Changes(
        new=new,
        suspects=[
            entry
            for entry in differing
            if entry.path in known
            and (distrust or min(entry.size_bytes, source.size_of(known[entry.path])) <= limit)
        ],
        gone=[] if all_there else sorted(known.keys() - {entry.path for entry in entries}),
        distrust=distrust,
    )
