"""Where a generation's parts lie, which base folder is current, and what format it has.

    index/current          {"format": 3, "base": "base-3"}: replaced by one rename
    index/base-3/          catalogue.sqlite  vectors  fulltext/  graph (of a large set)

Within a base the SQLite commit publishes; a rebuild makes a new base beside the old one and then
replaces `current`. Base folders that `current` does not name are left-overs of interrupted writers.
"""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from cidx.api.errors import CidxError, Code, Damaged, NotIndexed

# The history of the format; a bump makes older indexes be rebuilt.
# 1: first version.
# 2: references; symbols by name, chunks by the ranges of their files.
# 3: full text marks where words are that are too long to be terms.
# 4: full text holds stems of the names in symbols and paths.
# 5: what a path held before.
# 6: the names of all definitions that a chunk shows, and where its bytes are.
# 7: kinds of definitions by number; rows of data in larger chunks.
FORMAT = 7

POINTER = "current"
_PREFIX = "base-"
# From so many vectors on the walk along a graph is quicker than comparing all signs (tests/bench/vectors.py).
WORTH_A_GRAPH = 150_000
GRAPH, NEW_GRAPH, DUMPED_GRAPH = "graph", "graph.new", "graph.dump"


@dataclass(frozen=True, slots=True)
class Base:
    """One base folder and its parts."""

    folder: Path

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.sqlite"

    @property
    def vectors(self) -> Path:
        return self.folder / "vectors"

    @property
    def graph(self) -> Path:
        return self.folder / GRAPH

    @property
    def fulltext(self) -> Path:
        return self.folder / "fulltext"


@dataclass(frozen=True, slots=True)
class Pointer:
    """The content of `current`."""

    format: int
    base: str


def current(index: Path) -> Base:
    """The published base; NotIndexed, Damaged or a newer format is an error."""
    pointer = _read_pointer(index)
    if pointer.format > FORMAT:
        raise CidxError(
            Code.NEWER_INDEX,
            what=f"the index in {index} has format {pointer.format}",
            why=f"this cidx knows formats up to {FORMAT}; a newer cidx wrote it",
            next_step="upgrade cidx, or index anew with: cidx index --clear",
        )
    if pointer.format < FORMAT:
        raise NotIndexed(
            what=f"the index in {index} has the older format {pointer.format}",
            why=f"this cidx reads format {FORMAT}",
            next_step="cidx index",
        )
    return Base(index / pointer.base)


def is_begun(index: Path) -> bool:
    """Whether anything was ever published here, whatever has become of it."""
    return (index / POINTER).exists()


def new_base(index: Path) -> Base:
    """An empty base folder with a number that no base here has had.

    Not even one that was deleted: a writer that does not know yet would write into the new one.
    """
    taken = [int(name) for name in _base_numbers(index)]
    base = Base(index / f"{_PREFIX}{max([time.time_ns() // 1000, *taken]) + 1}")
    base.folder.mkdir(mode=0o700)
    return base


def publish(index: Path, base: Base) -> None:
    """Make a complete base the current one."""
    for part in (base.folder, base.fulltext):
        sync_folder(part)
    temporary = index / f".{POINTER}"
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump({"format": FORMAT, "base": base.folder.name}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, index / POINTER)
    sync_folder(index)


def remove_leftovers(index: Path) -> None:
    """Delete every base that is not current. Only the holder of the writer's lock may.

    Who still reads an old base has its files open and keeps them.
    """
    try:
        keep = _read_pointer(index).base
    except CidxError:
        keep = ""
    for number in _base_numbers(index):
        if _PREFIX + number != keep:
            shutil.rmtree(index / (_PREFIX + number), ignore_errors=True)


def remove(base: Base) -> None:
    """Delete a base that was never published; one whose publishing failed at the very end was."""
    try:
        published = _read_pointer(base.folder.parent).base == base.folder.name
    except CidxError:
        published = False
    if not published:
        shutil.rmtree(base.folder, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _base_numbers(index: Path) -> list[str]:
    return [
        name.removeprefix(_PREFIX)
        for name in os.listdir(index)
        if name.startswith(_PREFIX) and name.removeprefix(_PREFIX).isdecimal()
    ]


def _read_pointer(index: Path) -> Pointer:
    try:
        raw = json.loads((index / POINTER).read_bytes())
        pointer = Pointer(format=int(raw["format"]), base=str(raw["base"]))
    except (FileNotFoundError, NotADirectoryError):
        raise NotIndexed(
            what=f"there is no index in {index}",
            why="this repository has not been indexed yet",
            next_step="cidx index",
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged(what=f"the index in {index} is damaged", why=f"{POINTER}: {error}") from None
    if not pointer.base.startswith(_PREFIX) or "/" in pointer.base:
        raise Damaged(what=f"the index in {index} is damaged", why=f"{POINTER} names {pointer.base!r}")
    return pointer
