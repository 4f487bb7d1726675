"""Reading in several processes, for work that is worth starting them: parsing and embedding hold the interpreter.

A worker is a plain Python on one end of a pipe. It ends when the other end closes, so none outlives a killed parent.
Batches are dealt out in turn and come back in order, so a run gives the same index however many workers there are.

A parser can be at a file for minutes, deaf to all but the kernel, and take gigabytes meanwhile. So a worker has the
kernel end it when a batch takes much more of the processor or the memory than files of that size do. The batch is then
read again file by file, and the file that it happens to once more is cut by lines.
"""

import contextlib
import gc
import itertools
import os
import resource
import signal
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
# Reading takes 1 µs a byte and a hundred bytes of memory, parsing and embedding included.
_PATIENCE_S_PER_BYTE, _MEMORY_PER_BYTE = 1e-5, 200
_MEMORY_BYTES = 1 << 30
# How a worker ends by its alarm, for want of memory, or by the bug of a grammar.
_ENDED_BY_A_FILE = frozenset(
    -number for number in (signal.SIGPROF, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
)
# Parsing makes objects by the million that end at once, in no circles: to look for those took a tenth of the time.
_GARBAGE = 200_000
_START = (
    "import sys; sys.path[:] = sys.argv[2:]; from cidx.index.workers import serve; serve(int(sys.argv[1]))"
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told before its first batch. `patience_s` is what any batch may take, however small."""

    root: bytes
    settings: IndexSettings
    known: frozenset[bytes]
    patience_s: float = 3.0


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
    """A process, or one after the other, and the batches that were given to it and not taken yet."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._given: deque[Sequence[Task]] = deque()
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def give(self, batch: "Sequence[Task]") -> None:
        self._given.append(batch)
        self._send(batch)

    def take(self) -> "Batch":
        answer = self._receive()
        batch = self._given.popleft()
        if answer is not None:
            return answer
        found = self._read_each(batch)
        for waiting in self._given:
            self._send(waiting)
        return found

    def end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    def _read_each(self, batch: "Sequence[Task]") -> "Batch":
        """What becomes of a batch that ended the process: the file to blame is cut by lines."""
        from cidx.index.reader import Batch

        self._start()
        found = []
        for task in batch:
            # Where there is only one, it is to blame already.
            one = self._ask(task) if len(batch) > 1 else None
            found.append(one or self._ask(task._replace(parsed=False)))
        return Batch(
            [read for one in found if one is not None for read in one.reads],
            {key: vector for one in found if one is not None for key, vector in one.vectors.items()},
        )

    def _ask(self, task: "Task") -> "Batch | None":
        self._send([task])
        answer = self._receive()
        if answer is None:
            self._start()
        return answer

    def _start(self) -> None:
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
        self._send(self._setup)

    def _send(self, message: object) -> None:
        # What a process that has ended does not take is missed when its answer is.
        with contextlib.suppress(OSError):
            self._pipe.send(message)

    def _receive(self) -> "Batch | None":
        """The next answer; None where a file ended the process, which has been waited for."""
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            self._pipe.close()
            if code in _ENDED_BY_A_FILE:
                return None
            raise RuntimeError(f"a process that reads files ended with {code}") from None
        if isinstance(answer, BaseException):
            raise answer
        found: Batch = answer
        return found


def serve(descriptor: int) -> None:
    """A worker's life."""
    os.nice(_NICENESS)
    # One row at a time is multiplied: threads would only wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    gc.set_threshold(_GARBAGE)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        setup = pipe.recv()
        reader = _reader(setup)
        while True:
            batch = pipe.recv()
            _bound(batch, setup.patience_s)
            try:
                answer: Batch | BaseException = reader.prepare(batch, now_ns=time.time_ns())
            except MemoryError:
                os.abort()
            except BaseException as error:  # a grammar's panic is no Exception
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            _bound((), 0)
            pipe.send(answer)


def _bound(batch: "Sequence[Task]", patience_s: float) -> None:
    """Have the kernel end this process if the batch takes too much; where nothing is parsed, nothing is too much.

    The seconds are those of our own work, so a busy machine changes nothing. macOS does not bound memory.
    """
    seconds, memory = 0.0, resource.RLIM_INFINITY
    if any(task.parsed for task in batch):
        size_bytes = sum(task.entry.size_bytes for task in batch)
        seconds = patience_s + _PATIENCE_S_PER_BYTE * size_bytes
        memory = _MEMORY_BYTES + _MEMORY_PER_BYTE * size_bytes
    signal.setitimer(signal.ITIMER_PROF, seconds)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, most))


def _reader(setup: Setup) -> "Reader":
    from cidx.index.reader import Reader
    from cidx.text import embedder

    return Reader(
        root=setup.root,
        settings=setup.settings,
        embedder=embedder.packaged(),
        known_of=setup.known.intersection,
    )
