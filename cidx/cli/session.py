"""What a command may know of the world: given to it as a value, the same in a process and in the daemon.

A command never looks at `sys.stdout`, `os.environ` or the current directory: in the daemon those
belong to somebody else.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from cidx.api.errors import CidxError, Code

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cidx.api.answer import Freshness, Hit
    from cidx.api.query import Query
    from cidx.repository.repository import Repository, UserFolders
    from cidx.repository.settings import Settings
    from cidx.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """What is known of where the output goes."""

    columns: int = 80
    out_is_terminal: bool = False
    err_is_terminal: bool = False
    colour: bool = False

    @classmethod
    def of(
        cls, environment: Mapping[str, str], *, columns: int, out_is_terminal: bool, err_is_terminal: bool
    ) -> "Terminal":
        """With colour where a terminal shows it and nobody has said no (NO_COLOR)."""
        colour = out_is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        return cls(
            columns=columns, out_is_terminal=out_is_terminal, err_is_terminal=err_is_terminal, colour=colour
        )


class Output:
    """Text to a byte stream; file names that are not UTF-8 come out as they are on disk."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "surrogateescape"))

    def line(self, text: str = "") -> None:
        self.write(text + "\n")

    def flush(self) -> None:
        self._stream.flush()


class Source(Protocol):
    """Where answers come from: opened for one command, or kept warm by the daemon."""

    @property
    def served_by(self) -> str: ...

    def repository(self, directory: Path) -> "Repository": ...

    def settings(self, repository: "Repository", environment: Mapping[str, str]) -> "Settings": ...

    def published(self, repository: "Repository") -> "AbstractContextManager[Snapshot]":
        """The generation published last."""
        ...

    def fresh(
        self, repository: "Repository", settings: "Settings"
    ) -> "AbstractContextManager[tuple[Snapshot, Freshness]]":
        """The generation to answer from, small changes brought in, and how fresh it is."""
        ...

    def hits(
        self, snapshot: "Snapshot", fresh: "Freshness", query: "Query", retrieve: "Callable[[], list[Hit]]"
    ) -> "tuple[Hit, ...]":
        """What `retrieve` finds, or what it found before for the same question in the same state."""
        ...


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of one command line.

    `standalone` says that no daemon is to be asked, `advice` that a word about the service is welcome, `command` the
    name of what ran, `failed` the code of the error it ended with, `repeatable` that it would say the same again as
    long as the repository stays as it is.
    """

    directory: Path
    environment: Mapping[str, str]
    users: "UserFolders"
    terminal: Terminal
    out: Output
    err: Output
    source: Source
    cancelled: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.perf_counter)
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    command: str = ""
    failed: str = ""
    repeatable: bool = False
    standalone: bool = False
    advice: bool = False

    @property
    def took_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    def check_cancelled(self) -> None:
        """Stop here if nobody waits any more."""
        if self.cancelled.is_set():
            raise CidxError(
                Code.INTERRUPTED,
                what="the request was cancelled",
                why="its client went away, or it took too long",
                next_step="ask again, or something smaller",
            )

    def change_directory(self, path: str) -> None:
        """Go on as if started there (`-C`)."""
        target = self.directory / path
        if not target.is_dir():
            raise CidxError(
                Code.USAGE,
                what=f"{target} is not a folder",
                why="-C needs one that exists",
                next_step="check the path",
            )
        self.directory = target

    def repository(self) -> "Repository":
        return self.source.repository(self.directory)

    def settings(self, repository: "Repository") -> "Settings":
        return self.source.settings(repository, self.environment)
