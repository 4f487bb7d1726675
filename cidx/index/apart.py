"""A whole index run in a process of its own: it takes neither the interpreter nor the processor from who started it.

The process is a plain Python on two pipes, of low priority unless there is little to do. It is told what to do in one
line, and says in lines of JSON how far it is, ten times a second at most, and what came of it. When its input ends it
stops, so it outlives nobody, and nothing else is needed to stop it; wherever that happens, the index is as it was
published last.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cidx.api.errors import CidxError, Code
from cidx.index.progress import Progress, Summary
from cidx.repository.repository import Repository
from cidx.repository.settings import IndexSettings

# How long a process that was told to stop may take.
PATIENCE_S = 3.0
# A job that is over soon, as after a switch of branches, is hurried: somebody may wait for it. Longer ones let others
# come first.
_NICENESS, _LONG_BYTES = 10, 8_000_000
_STEP_S = 0.1
_START = "import sys; sys.path[:] = sys.argv[1:]; from cidx.index.apart import serve; serve()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be indexed, and how."""

    repository: Repository
    settings: IndexSettings
    clear: bool = False

    def to_json(self) -> dict[str, Any]:
        found = self.repository
        repository = asdict(found) | {"root": str(found.root), "folder": str(found.folder)}
        return {"repository": repository, "settings": asdict(self.settings), "clear": self.clear}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Order":
        repository, settings = fields["repository"], fields["settings"]
        places = {name: Path(repository[name]) for name in ("root", "folder")}
        lists = {name: tuple(value) for name, value in settings.items() if isinstance(value, list)}
        return cls(
            repository=Repository(**repository | places),
            settings=IndexSettings(**settings | lists),
            clear=fields["clear"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run: a summary or an error, and why it made no graph where it tried."""

    summary: Summary | None = None
    error: CidxError | None = None
    no_graph: str = ""
    trace: str = ""


class Run:
    """A run in its process. `said` is read by one thread; `stop` may be called by any."""

    def __init__(self, order: Order) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for us: we end it.
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._killer = threading.Timer(PATIENCE_S, self._process.kill)
        self._killer.daemon = True
        assert self._process.stdin is not None
        # What a process that has ended does not take is missed when its answer is.
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(order.to_json()).encode() + b"\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> Iterator[Progress | Outcome]:
        """How far it is, again and again, and at last what came of it; the process is gone then."""
        outcome = None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = _message(line)
            if isinstance(message, Outcome):
                outcome = message
            elif message is not None:
                yield message
        code = self._process.wait()
        self._killer.cancel()
        self._process.stdout.close()
        self.stop()
        yield outcome or Outcome(error=_died(code))

    def stop(self) -> None:
        """Have it end soon; one that does not is killed."""
        assert self._process.stdin is not None
        with self._lock:
            if self._process.stdin.closed:
                return
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            if self._process.returncode is None:
                self._killer.start()

    def kill(self) -> None:
        """End it at once, though nobody reads what it says."""
        self._process.kill()
        self._process.communicate()


def _message(line: bytes) -> Progress | Outcome | None:
    try:
        found = json.loads(line)
    except ValueError:
        # Cut off: the process was killed while it spoke.
        return None
    if "phase" in found:
        return Progress(**found)
    summary, error = found.get("summary"), found.get("error")
    return Outcome(
        summary=Summary(**summary) if summary else None,
        error=CidxError.from_json(error) if error else None,
        no_graph=found.get("no_graph", ""),
        trace=found.get("trace", ""),
    )


def _died(code: int) -> CidxError:
    if code < 0:
        how = f"by {signal.Signals(-code).name}" if -code in signal.valid_signals() else f"by signal {-code}"
        return CidxError(
            Code.INTERRUPTED,
            what="the process that indexed was ended",
            why=f"{how}; for want of memory, or by somebody",
            next_step="cidx index goes on from the published generation",
        )
    return CidxError(
        Code.BUG,
        what="the process that indexed ended without an answer",
        why=f"with exit code {code}",
        next_step="cidx --standalone index, which shows what happens",
    )


# In the process


def serve() -> None:
    """The process's life."""
    # As a command line does: what is imported stays, and products here are too small to share.
    gc.set_threshold(100_000, 20, 100)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    cancelled = threading.Event()
    order = Order.from_json(json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_stop_when_told, args=(cancelled,), daemon=True).start()
    try:
        answer = _run(order, cancelled)
    except CidxError as error:
        answer = {"error": error.to_json()}
    except BaseException as error:  # tantivy's panics are no Exceptions
        answer = _bug(error)
    with contextlib.suppress(OSError):
        _say(answer)
    os._exit(0)


def _stop_when_told(cancelled: threading.Event) -> None:
    sys.stdin.buffer.read()
    cancelled.set()
    # Nobody may be there any more who would kill us.
    time.sleep(PATIENCE_S)
    os._exit(1)


def _run(order: Order, cancelled: threading.Event) -> dict[str, Any]:
    from cidx.index.files import Listing

    # git lists the tree while the rest is being imported.
    with Listing(order.repository) as listing:
        from cidx.index import indexer, linking
        from cidx.text import embedder

        report = _Reports()
        job = indexer.Job(
            settings=order.settings,
            embedder=embedder.packaged(),
            clear=order.clear,
            verify=True,
            listing=listing,
            report=report,
            on_wait=lambda who: report(Progress(f"waiting for {who}")),
            on_found=lambda size_bytes: os.nice(_NICENESS if size_bytes >= _LONG_BYTES else 0),
            cancelled=cancelled,
        )
        summary = indexer.run(order.repository, job)
    no_graph = linking.link(order.repository, summary, report=report, cancelled=cancelled)
    return {"summary": summary.to_json(), "no_graph": no_graph}


class _Reports:
    """Says how far the run is: each phase at once, the rest now and then."""

    def __init__(self) -> None:
        self._phase = ""
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase == self._phase and now < self._next:
            return
        self._phase, self._next = progress.phase, now + _STEP_S
        with contextlib.suppress(OSError):
            _say(asdict(progress))


def _say(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _bug(error: BaseException) -> dict[str, Any]:
    import traceback

    why = f"{type(error).__name__}: {error}"
    found = CidxError(
        Code.BUG,
        what="cidx ran into a bug of its own while it indexed",
        why=why,
        next_step="please report it with what the daemon's log says of it: cidx service logs",
    )
    return {"error": found.to_json(), "trace": "".join(traceback.format_exception(error))}
