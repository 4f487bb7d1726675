"""Reading in several processes, for work that is worth starting them: parsing and embedding hold the interpreter.

A worker is a plain Python on one end of a pipe. It ends when the other end closes, so none outlives a killed parent.
Batches are dealt out in turn and come back in order, so a run gives the same index however many workers there are.
"""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import TYPE_CHECKING

from cidx.repository.settings import IndexSettings

if TYPE_CHECKING:
    from cidx.index.reader import Batch, Reader, Task

# What a process needs of the other batches waiting for it, so that it never waits for us.
_AHEAD = 2
_NICENESS = 10
_START = (
    "import sys; sys.path[:] = sys.argv[2:]; from cidx.index.workers import serve; serve(int(sys.argv[1]))"
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told before its first batch."""

    root: bytes
    settings: IndexSettings
    known: frozenset[bytes]


class Workers:
    """A few processes that read. Use as a context: they are gone afterwards."""

    def __init__(self, count: int, setup: Setup) -> None:
        self.workers = [_Worker(setup) for _ in range(count)]

    def prepare(self, batches: "Iterable[Sequence[Task]]") -> "Iterator[Batch]":
        """What becomes of each batch, in order."""
        waiting: deque[_Worker] = deque()
        turns = itertools.cycle(self.workers)
        for batch in batches:
            worker = next(turns)
            worker.give(batch)
            waiting.append(worker)
            if len(waiting) > _AHEAD * len(self.workers):
                yield waiting.popleft().take()
        while waiting:
            yield waiting.popleft().take()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.end()


class _Worker:
    def __init__(self, setup: Setup) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, str(theirs.fileno()), *filter(None, sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Ctrl-C is for us: we end them.
                start_new_session=True,
            )
        self.give(setup)

    @property
    def pid(self) -> int:
        return self._process.pid

    def give(self, message: object) -> None:
        # What a process that has ended does not take is missed when its answer is.
        with contextlib.suppress(OSError):
            self._pipe.send(message)

    def take(self) -> "Batch":
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            raise RuntimeError(f"a process that reads files ended with {code}") from None
        if isinstance(answer, BaseException):
            raise answer
        found: Batch = answer
        return found

    def end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def serve(descriptor: int) -> None:
    """A worker's life."""
    os.nice(_NICENESS)
    # One row at a time is multiplied: threads would only wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    pipe = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        reader = _reader(pipe.recv())
        while True:
            batch = pipe.recv()
            try:
                answer: Batch | BaseException = reader.prepare(batch, now_ns=time.time_ns())
            except BaseException as error:  # a grammar's panic is no Exception
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            pipe.send(answer)


def _reader(setup: Setup) -> "Reader":
    from cidx.index.reader import Reader
    from cidx.text import embedder

    return Reader(
        root=setup.root,
        settings=setup.settings,
        embedder=embedder.packaged(),
        known_of=setup.known.intersection,
    )
