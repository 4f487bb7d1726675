"""Questions that a repository is asked: names it defines, and words that stand together in its files.

Always the same ones in the same order for the same index, and none of them twice.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cidx.store import source

if TYPE_CHECKING:
    from cidx.store.snapshot import Snapshot

_SEED = 7
# Enough for thousands of questions, and read in no time.
_MOST_FILES, _MOST_BYTES = 100, 65_536
_WORD = re.compile(r"[^\W\d_]{3,20}")
# Every so many questions, one is a name.
_NAME_EVERY = 4
# So many draws in vain, and questions get longer: a file may hold two words.
_PATIENCE = 20


def questions(snapshot: "Snapshot", root: Path) -> Iterator[str]:
    """Endless; empty where the repository holds no word."""
    symbols = snapshot.catalogue.symbols()
    names = sorted({symbol.name for _, symbol in symbols if symbol.name.isidentifier()})
    paths = sorted(file.path for file in snapshot.catalogue.files() if not file.skipped)
    return drawn(names, [found for path in _some(paths) if (found := _words(root, path))])


def drawn(names: Sequence[str], files: Sequence[Sequence[str]]) -> Iterator[str]:
    """From names, and from the words of each file."""
    import random

    chosen = random.Random(_SEED)  # noqa: S311  (nothing is secret here)
    files = files or [names]
    seen: set[str] = set()
    most, in_vain = 4, 0
    while any(files):
        if names and not in_vain and len(seen) % _NAME_EVERY == 0:
            text = chosen.choice(names)
        else:
            text = " ".join(chosen.choices(chosen.choice(files), k=chosen.randint(2, most)))
        if text in seen:
            in_vain += 1
            most += in_vain % _PATIENCE == 0
        else:
            in_vain = 0
            seen.add(text)
            yield text


def _some(paths: Sequence[bytes]) -> Sequence[bytes]:
    """Evenly out of all."""
    step = max(1, len(paths) // _MOST_FILES)
    return paths[::step][:_MOST_FILES]


def _words(root: Path, path: bytes) -> list[str]:
    try:
        data = source.read(os.path.join(os.fsencode(root), path), limit=_MOST_BYTES).data
    except OSError:
        # Gone since it was indexed.
        return []
    return sorted(set(_WORD.findall(data.decode("utf-8", "ignore"))))
