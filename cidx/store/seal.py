"""Notices what became of an index while nobody wrote to it: a disk that forgets, a copy that stopped half-way.

A finished `cidx index` seals the base: the size and checksum of each of its files. The next writer breaks the seal
before it changes anything, so a seal that differs from the files means damage. Without one each part is asked for
checksums of its own, which takes longer and does not cover the values in the catalogue.
"""

import json
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from cidx.api.errors import CidxError
from cidx.store import layout
from cidx.store.catalogue import Catalogue

_FILE = "seal"
_BLOCK = 1 << 20
# What SQLite and tantivy keep beside their files while somebody reads or writes.
_PASSING = ("-wal", "-shm", "-journal", ".lock")
# A graph comes and goes between two writers, has checksums of its own, and answers do without it.
_BESIDE = (layout.GRAPH, layout.NEW_GRAPH, layout.DUMPED_GRAPH)


def damage(base: layout.Base) -> str:
    """What is wrong with the files of a base that nobody writes to; empty if they are whole."""
    sealed = _read(base)
    return _difference(sealed, base) if sealed is not None else _own_checks(base)


class Check:
    """`damage` of the current base in the making: begun at once, beside whatever else there is to do.

    Only for who holds the writer's lock, from beginning to end.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._found: str | BaseException = ""
        self._thread = threading.Thread(target=self._run, name="check", daemon=True)
        self._thread.start()

    def damage(self) -> str:
        """What is wrong; empty if nothing is. Raises what kept it from being found out."""
        self._thread.join()
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found

    def _run(self) -> None:
        try:
            self._found = damage(layout.current(self._index))
        except BaseException as error:  # whoever asks is told
            self._found = error


def is_sealed(base: layout.Base) -> bool:
    """Whether whoever wrote last has sealed it."""
    return (base.folder / _FILE).exists()


def is_broken(base: layout.Base, file: Path) -> bool:
    """Whether a file of a sealed base is not what was sealed."""
    name = str(file.relative_to(base.folder))
    sealed = _read(base) or {}
    return name in sealed and sealed[name] != _identity(file)


def make(base: layout.Base) -> None:
    """Note what the base consists of now. Only for its writer, at the end, with nothing left in SQLite's log."""
    text = json.dumps({name: _identity(file) for name, file in _files(base)})
    place = base.folder / f".{_FILE}"
    place.write_text(text, encoding="utf-8")
    place.replace(base.folder / _FILE)


def take(base: layout.Base) -> str:
    """Break the seal; returns it, so that a writer who changes nothing can put it back. Empty if there is none."""
    file = base.folder / _FILE
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    file.unlink()
    return text


def put_back(base: layout.Base, text: str) -> None:
    (base.folder / _FILE).write_text(text, encoding="utf-8")


def _read(base: layout.Base) -> dict[str, list[int]] | None:
    """None where there is no seal, or none that can be read."""
    try:
        found = json.loads((base.folder / _FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _difference(sealed: dict[str, list[int]], base: layout.Base) -> str:
    try:
        there = {name: _identity(file) for name, file in _files(base)}
    except OSError as error:
        return f"{error.filename} can't be read: {error.strerror}"
    for name in sorted(sealed.keys() | there.keys()):
        if name not in there:
            return f"{name} is missing"
        if name in sealed and sealed[name] != there[name]:
            return f"{name} is not as it was written"
    return ""


def _own_checks(base: layout.Base) -> str:
    # Not for who finds a seal, in a hurry.
    from cidx.store import fulltext
    from cidx.store.vectors import Vectors

    try:
        catalogue = Catalogue.open_to_read(base.catalogue)
        try:
            wrong = catalogue.damage()
            if wrong:
                return f"the catalogue: {wrong}"
            damaged_rows = Vectors(base.vectors, catalogue.meta("rows")).damaged_rows()
        finally:
            catalogue.close()
    except CidxError as error:
        return f"{error.what}: {error.why}"
    except OSError as error:
        return f"{error.filename or base.folder} can't be read: {error.strerror}"
    if damaged_rows:
        return f"{len(damaged_rows)} vectors are not as they were written"
    return fulltext.damage(base.fulltext)


def _files(base: layout.Base) -> Iterator[tuple[str, Path]]:
    for folder, _, names in os.walk(base.folder):
        for name in names:
            file = Path(folder, name)
            if not name.endswith(_PASSING) and name not in (_FILE, f".{_FILE}", *_BESIDE):
                yield str(file.relative_to(base.folder)), file


def _identity(file: Path) -> list[int]:
    """Size and checksum."""
    size_bytes, checksum = 0, 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            size_bytes += len(block)
            checksum = zlib.crc32(block, checksum)
    return [size_bytes, checksum]
