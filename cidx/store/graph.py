"""Finds near vectors in a large set without looking at most of them. The only place that knows hnswlib.

hnswlib builds the graph, in a process of its own; what is kept of it is who is linked to whom at its lowest level, for
the rows that were published then. Reading is done here, over the mapped file and the mapped rows: no loading, no
copy, no lock, nothing of hnswlib at all. So a process of one query and a daemon find the same, and a graph is of use
where hnswlib is not installed. What was appended since, the tail, is scored row by row.

A graph only names candidates, it never gives scores. It is an addition to rows that are published already: a missing,
foreign or damaged one costs time, and the next `cidx index` makes it anew.
"""

import contextlib
import fcntl
import importlib.util
import json
import os
import select
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cidx.store import layout
from cidx.store.vectors import Probe, Vectors, nearest_signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A tail longer than this share of the rows makes the next `cidx index` build anew; a reader bears a longer one.
_TAIL_REBUILT, _TAIL_BORNE = 0.1, 0.25

_MAGIC = b"cidxgrph"
# Magic, rows, links a row, marks, words of signs, checksums of the vectors, of the marks and of their signs.
_HEADER = struct.Struct("<8sIIIIIII")
_HEADER_BYTES = 64
# So many rows tell whether a graph belongs to a file of vectors.
_FINGERPRINT_ROWS = 64

# What hnswlib is asked for: links per row and level (twice that at the lowest), and candidates while building.
_LINKS, _BUILD_WIDTH = 16, 100
# A mark is a row that fewest others lead to: one in eight. The marks whose signs are nearest to the query's are where a
# walk begins, so it needs no upper levels, and it meets the rows that hnswlib alone would miss: among 500,000 its
# own search finds 0.93 of the best ten, this one 1.00 (tests/bench/vectors.py).
_MARKED_SHARE = 8
_BEGINNINGS = 256
# Rows that are followed at a time: fewer look at fewer rows, more need fewer steps.
_STRIDE = 64
# So many of the best rows seen are followed for each one that is wanted.
_FOLLOWED_EACH = 2
_FOLLOWED_LEAST = 200

# What hnswlib writes before its elements.
_DUMP = struct.Struct("<QQQQQQiIQQQdQ")

_NICENESS = 10
_BUILD_BATCH = 2_000
_POLL_S = 0.1
_START = "import sys; sys.path[:] = sys.argv[5:]; from cidx.store.graph import serve_build; serve_build(*sys.argv[1:5])"


class Graph:
    """The links of the first rows of a file of vectors, mapped. Safe to share between threads."""

    def __init__(self, file: Path, vectors: Vectors) -> None:
        """ValueError says why a file is no graph of these vectors."""
        with file.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
            if len(header) < _HEADER_BYTES or zlib.crc32(header[:-4]) != int.from_bytes(
                header[-4:], "little"
            ):
                raise ValueError("its header is damaged")
            magic, self.rows, links, marks, words, fingerprint, *self._mark_crcs = _HEADER.unpack_from(header)
            node = _node_type(links)
            if magic != _MAGIC or os.fstat(stream.fileno()).st_size != (
                _HEADER_BYTES + self.rows * node.itemsize + marks * (words * 8 + 4)
            ):
                raise ValueError("its size is wrong")
            if self.rows > len(vectors) or fingerprint != _fingerprint(vectors, self.rows):
                raise ValueError("it belongs to other vectors")
        at = _HEADER_BYTES
        self._nodes = _mapped(file, node, at, (self.rows,))
        at += self._nodes.nbytes
        self._marks = _mapped(file, "<u4", at, (marks,))
        at += self._marks.nbytes
        self._signs = _mapped(file, "<u8", at, (words, marks))
        self.size_bytes = at + self._signs.nbytes
        self._vectors = vectors
        self._whole = True

    def candidates(self, probe: Probe, *, width: int, effort: float = 1.0) -> "NDArray[np.intp] | None":
        """The rows among which the best `width` lie; None where looking at all of them is the better way."""
        follow = max(_FOLLOWED_LEAST, int(_FOLLOWED_EACH * width * effort))
        tail = len(self._vectors) - self.rows
        if not self._whole or 2 * follow >= self.rows or tail > _TAIL_BORNE * self.rows:
            return None
        try:
            near = self._walk(probe, follow)
        except _Damage:
            self._whole = False
            return None
        return np.concatenate([near, np.arange(self.rows, len(self._vectors), dtype=np.intp)])

    def is_whole(self) -> bool:
        """Reads it all."""
        try:
            _ = self._checked_marks
            for start in range(0, self.rows, 65_536):
                self._neighbours(np.arange(start, min(start + 65_536, self.rows)))
        except _Damage:
            return False
        return True

    def _walk(self, probe: Probe, follow: int) -> "NDArray[np.intp]":
        """From the marks along the links, always from the best rows seen, until the best have all been followed."""
        marks, signs = self._checked_marks
        best = marks[nearest_signs(signs, probe.signs, _BEGINNINGS)]
        scores = self._vectors.scores(probe, best)
        seen = np.zeros(self.rows, dtype=bool)
        seen[best] = True
        fresh = np.ones(len(best), dtype=bool)
        while True:
            if len(best) > follow:
                kept = _largest(scores, follow)
                best, scores, fresh = best[kept], scores[kept], fresh[kept]
            ahead = np.flatnonzero(fresh)
            if not len(ahead):
                return best
            if len(ahead) > _STRIDE:
                ahead = ahead[_largest(scores[ahead], _STRIDE)]
            fresh[ahead] = False
            met = self._neighbours(best[ahead]).ravel()
            met = np.sort(met[~seen[met]])
            # `np.unique` imports numpy.ma, which takes longer than the walk.
            met = met[np.flatnonzero(met != np.concatenate([[-1], met[:-1]]))]
            seen[met] = True
            best = np.concatenate([best, met])
            scores = np.concatenate([scores, self._vectors.scores(probe, met)])
            fresh = np.concatenate([fresh, np.ones(len(met), dtype=bool)])

    def _neighbours(self, rows: "NDArray[np.intp]") -> "NDArray[np.intp]":
        nodes = self._nodes[rows]
        links = nodes["links"]
        if not np.array_equal(_checksums(rows, links), nodes["check"]):
            raise _Damage
        return links.astype(np.intp)

    @cached_property
    def _checked_marks(self) -> "tuple[NDArray[np.intp], NDArray[np.uint64]]":
        """The rows where walks begin, and their signs."""
        if [zlib.crc32(self._marks.data), zlib.crc32(self._signs.data)] != self._mark_crcs:
            raise _Damage
        return self._marks.astype(np.intp), self._signs


class _Damage(Exception):
    """Something in a graph is not as it was written."""


def find(base: layout.Base, vectors: Vectors) -> Graph | None:
    """The graph that goes with these vectors, if there is one."""
    try:
        return Graph(base.graph, vectors)
    except (OSError, ValueError):
        return None


def damage(base: layout.Base, vectors: Vectors) -> str:
    """What is wrong with a graph; empty if it is whole or there is none."""
    try:
        return "" if Graph(base.graph, vectors).is_whole() else "some of its links are damaged"
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return str(error)


def renew(
    base: layout.Base,
    vectors: Vectors,
    *,
    report: Callable[[int], None],
    cancelled: threading.Event,
    worth_rows: int,
) -> str:
    """Build a graph where there are many rows and none that covers most of them.

    Returns why there is none although it was tried; empty otherwise. One that is damaged goes in any case.
    """
    known = find(base, vectors)
    if known is not None and not known.is_whole():
        known = None
    if known is None:
        with contextlib.suppress(OSError):
            base.graph.unlink(missing_ok=True)
    covered = known.rows if known is not None else 0
    due = len(vectors) >= worth_rows and len(vectors) - covered > _TAIL_REBUILT * len(vectors)
    return build(base, vectors, report=report, cancelled=cancelled) if due and is_possible() else ""


def is_possible() -> bool:
    """Whether hnswlib is installed."""
    return importlib.util.find_spec("hnswlib") is not None


def build(
    base: layout.Base,
    vectors: Vectors,
    *,
    report: Callable[[int], None],
    cancelled: threading.Event,
) -> str:
    """Build a graph of all rows and publish it beside them; returns why there is none, empty if there is.

    Rows never change, so this needs no writer's lock and keeps nobody from editing. It may take minutes, and may be
    killed at any time. `report` is told how many rows are in.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(open(base.folder / "graph.lock", "ab", opener=_private))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "another process is building it"
        except OSError as error:
            return f"{error.strerror}"
        made = base.folder / layout.NEW_GRAPH
        stack.callback(made.unlink, missing_ok=True)
        stack.callback((base.folder / layout.DUMPED_GRAPH).unlink, missing_ok=True)
        why = _run_build(base, len(vectors), made, report, cancelled)
        if not why:
            try:
                made.replace(base.graph)
                layout.sync_folder(base.folder)
            except OSError as error:
                why = f"{error.strerror}"
        return why


def _run_build(
    base: layout.Base, rows: int, made: Path, report: Callable[[int], None], cancelled: threading.Event
) -> str:
    """Run `serve_build`, which can be killed at any time, crashes alone, and gives its memory back."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", "-c", _START),
            *(str(base.vectors), str(rows), str(made), str(base.folder / layout.DUMPED_GRAPH)),
            *filter(None, sys.path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for us: we end it.
        start_new_session=True,
    )
    with process:
        try:
            for said in _lines(process.stdout, cancelled):
                if isinstance(said, str):
                    return said
                report(said)
        finally:
            process.kill()
            code = process.wait()
    if cancelled.is_set():
        return "it was interrupted"
    return "" if code == 0 else f"the process that builds it ended with {code}"


def _lines(stream: IO[bytes] | None, cancelled: threading.Event) -> Iterator[int | str]:
    """What the process says, until it has no more to say or nobody wants to hear it."""
    assert stream is not None
    buffer = b""
    while not cancelled.is_set():
        if select.select([stream], [], [], _POLL_S)[0]:
            data = os.read(stream.fileno(), 4096)
            *complete, buffer = (buffer + data).split(b"\n")
            yield from map(json.loads, complete)
            if not data:
                return


def serve_build(vectors: str, rows: str, made: str, dump: str) -> None:
    """The life of a process that builds a graph."""
    os.nice(_NICENESS)
    os.umask(0o077)
    # Whoever started this has ended when its end of the pipe closes.
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(1)), daemon=True).start()
    try:
        found = Vectors(Path(vectors), int(rows))
        _write(Path(made), found, _links(found, Path(dump)))
        os._exit(0)
    except (OSError, ValueError, RuntimeError, MemoryError, ImportError, struct.error) as error:
        _say(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        os._exit(1)


def _say(what: int | str) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _links(vectors: Vectors, dump: Path) -> "NDArray[np.int32]":
    """Whom each row is linked to; an empty place is a link to itself."""
    import hnswlib  # type: ignore[import-untyped,import-not-found,unused-ignore]

    count = len(vectors)
    index = hnswlib.Index(space="ip", dim=vectors.dimensions)
    index.init_index(max_elements=count, M=_LINKS, ef_construction=_BUILD_WIDTH, random_seed=1)
    index.set_num_threads(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)
    # The chunks of a file lie side by side and are alike: added in that order, they are linked to each other
    # and to little else.
    order = np.random.default_rng(1).permutation(count)
    for start in range(0, count, _BUILD_BATCH):
        rows = order[start : start + _BUILD_BATCH]
        index.add_items(vectors.units(rows), rows)
        _say(start + len(rows))
    index.save_index(str(dump))
    del index
    return _read_dump(dump, count, vectors.dimensions)


def _read_dump(dump: Path, count: int, dimensions: int) -> "NDArray[np.int32]":
    """The lowest level of what hnswlib 0.8 saves: for each element its links, its vector and its row."""
    with dump.open("rb") as stream:
        _, _, elements, size, _, _, _, _, _, most, *_ = _DUMP.unpack(stream.read(_DUMP.size))
    # The number of links lies before them in four bytes, of which two count.
    element = np.dtype(
        [
            ("count", "<u2"),
            ("", "<u2"),
            ("links", "<u4", (most,)),
            ("vector", "<f4", (dimensions,)),
            ("row", "<u8"),
        ]
    )
    if (elements, size, most) != (count, element.itemsize, 2 * _LINKS):
        raise ValueError("this hnswlib saves in a way that is not known here")
    dumped = np.memmap(dump, dtype=element, mode="r", offset=_DUMP.size, shape=(count,))
    row_of = dumped["row"].astype(np.int32)
    links = np.empty((count, most), dtype=np.int32)
    for start in range(0, count, _BUILD_BATCH):
        part = dumped[start : start + _BUILD_BATCH]
        rows = row_of[start : start + _BUILD_BATCH]
        empty = np.arange(most) >= part["count"][:, None]
        links[rows] = np.where(empty, rows[:, None], row_of[np.where(empty, 0, part["links"])])
    return links


def _largest(scores: "NDArray[np.float32]", count: int) -> "NDArray[np.intp]":
    return np.argpartition(scores, len(scores) - count)[-count:]


def _mapped(file: Path, dtype: "np.dtype[Any] | str", at: int, shape: tuple[int, ...]) -> "NDArray[Any]":
    """Part of a file; a plain array, because indexing one that knows its file takes longer."""
    return np.memmap(file, dtype=dtype, mode="r", offset=at, shape=shape).view(np.ndarray)


def _node_type(links: int) -> "np.dtype[Any]":
    return np.dtype([("links", "<u4", (links,)), ("check", "<u4")])


def _checksums(rows: "NDArray[np.intp]", links: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """Of each row's links, in whole columns: one wrong bit always shows."""
    weights = np.arange(1, 2 * links.shape[1], 2, dtype=np.uint32) * np.uint32(0x9E3779B1)
    sums: NDArray[np.uint32] = (links * weights).sum(axis=1, dtype=np.uint32)
    sums ^= rows.astype(np.uint32) * np.uint32(0x85EBCA6B)
    return sums


def _fingerprint(vectors: Vectors, rows: int) -> int:
    return zlib.crc32(vectors.checksums(slice(0, rows, max(1, rows // _FINGERPRINT_ROWS))))


def _write(file: Path, vectors: Vectors, links: "NDArray[np.int32]") -> None:
    """Make a graph's file, durable."""
    rows, width = links.shape
    nodes = np.empty(rows, dtype=_node_type(width))
    nodes["links"] = links
    nodes["check"] = _checksums(np.arange(rows), nodes["links"])
    met = np.bincount(links[links != np.arange(rows)[:, None]], minlength=rows)
    marks = np.sort(np.argsort(met, kind="stable")[: -(-rows // _MARKED_SHARE)]).astype("<u4")
    signs = vectors.signs(marks)
    checks = (_fingerprint(vectors, rows), zlib.crc32(marks.data), zlib.crc32(signs.data))
    header = _HEADER.pack(_MAGIC, rows, width, len(marks), len(signs), *checks).ljust(
        _HEADER_BYTES - 4, b"\0"
    )
    with open(file, "wb", opener=_private) as stream:
        stream.write(header + zlib.crc32(header).to_bytes(4, "little"))
        stream.write(nodes.tobytes())
        stream.write(marks.tobytes())
        stream.write(signs.tobytes())
        stream.flush()
        os.fsync(stream.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
