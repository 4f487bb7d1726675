"""Shows how far a long job is: a bar in a terminal, a plain line now and then in a pipe.

The job runs in a thread of its own, so that Ctrl-C is heard at once even while the job is inside a library. It is
asked to stop and given a moment to clean up; the index on disk is whole wherever it stops.
"""

import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from cidx.api.errors import CidxError, Code
from cidx.cli.session import Session
from cidx.index.progress import Progress, Report

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Result = TypeVar("Result")

# Runs that end sooner show nothing; rich is not even imported.
QUIET_S = 0.4
_STEP_S = 0.1
_LINE_EVERY_S = 5.0
# Ctrl-C has to end within a second, whatever the job is doing.
_GRACE_S = 0.6


def watch(session: Session, job: Callable[[Report], Result]) -> Result:
    """Run the job while showing its progress; returns what it returns or raises what it raises."""
    run = _Run(job)
    display = display_for(session)
    try:
        run.start()
        started = time.monotonic()
        while not run.done.wait(_STEP_S):
            if time.monotonic() - started > QUIET_S:
                display.show(run.latest)
    except KeyboardInterrupt:
        session.cancelled.set()
        run.done.wait(_GRACE_S)
        raise CidxError(
            Code.INTERRUPTED,
            what="interrupted",
            why="the index is as it was published last",
            next_step="cidx index",
        ) from None
    finally:
        display.close()
    return run.result()


class Display(Protocol):
    """Where progress is shown."""

    def show(self, progress: Progress) -> None: ...

    def close(self) -> None: ...


def display_for(session: Session) -> Display:
    """The one that fits where the session's stderr goes."""
    return _Terminal(session) if session.terminal.err_is_terminal else _Pipe(session)


class _Run(Generic[Result]):
    """The job in its thread, with its latest report."""

    def __init__(self, job: Callable[[Report], Result]) -> None:
        self.latest = Progress("starting")
        self.done = threading.Event()
        self._job = job
        self._result: Result | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        threading.Thread(target=self._work, name="index", daemon=True).start()

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return cast("Result", self._result)

    def _work(self) -> None:
        try:
            self._result = self._job(self._report)
        except BaseException as error:  # handed to whoever waits
            self._error = error
        finally:
            self.done.set()

    def _report(self, progress: Progress) -> None:
        self.latest = progress


class _Pipe:
    """One line every few seconds, for logs."""

    def __init__(self, session: Session) -> None:
        self._err = session.err
        self._next = time.monotonic() + _LINE_EVERY_S

    def show(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY_S
            self._err.line(
                f"cidx: {progress.phase}: {progress.files_done}/{progress.files_total} files, "
                f"{progress.chunks} chunks"
            )
            self._err.flush()

    def close(self) -> None:
        pass


class _Terminal:
    """A bar with files, chunks, rate and time left; it goes away when the job is done."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._bar: Bar | None = None
        self._task: Any = None
        self._started = time.monotonic()
        self._done_before = 0

    def show(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = self._start()
            # A job may have gone on for long before somebody looks.
            self._started, self._done_before = time.monotonic(), progress.files_done
        rate = (progress.files_done - self._done_before) / max(0.1, time.monotonic() - self._started)
        self._bar.update(
            self._task,
            description=progress.phase,
            completed=progress.files_done,
            total=progress.files_total or None,
            chunks=progress.chunks,
            rate=f"{rate:.0f}",
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> "Bar":
        from rich import progress
        from rich.console import Console

        console = Console(
            file=cast("IO[str]", _Text(self._session)),
            force_terminal=True,
            # Room for the `^C` that a terminal echoes: wrapped, it would leave the bar on the screen.
            width=max(20, self._session.terminal.columns - 3),
            no_color=bool(self._session.environment.get("NO_COLOR")),
        )
        bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.TextColumn(
                "{task.completed}/{task.total} files, {task.fields[chunks]} chunks, {task.fields[rate]} files/s"
            ),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            auto_refresh=True,
        )
        self._task = bar.add_task("starting", total=None, chunks=0, rate="0")
        bar.start()
        return bar


class _Text:
    """What rich needs of a text file, over the session's stderr."""

    encoding = "utf-8"

    def __init__(self, session: Session) -> None:
        self._err = session.err

    def write(self, text: str) -> int:
        self._err.write(text)
        return len(text)

    def flush(self) -> None:
        self._err.flush()

    def isatty(self) -> bool:
        return True
