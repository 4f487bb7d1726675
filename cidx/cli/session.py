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
from typing import TYPE_CHECKING, BinaryIO

from cidx.api.errors import CidxError, Code, NotIndexed

if TYPE_CHECKING:
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


def _open_current(repository: "Repository") -> "Snapshot":
    from cidx.store.snapshot import open_current

    try:
        return open_current(repository.index_folder)
    except NotIndexed as error:
        from cidx.repository import lock

        who = lock.holder(repository.folder)
        if not who:
            raise
        raise NotIndexed(
            what=error.what,
            why=f"it is being made right now, by {who}",
            next_step="ask again when it is done; cidx index waits for it",
        ) from None


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of one command line."""

    directory: Path
    environment: Mapping[str, str]
    users: "UserFolders"
    terminal: Terminal
    out: Output
    err: Output
    served_by: str = "process"
    source: "Callable[[Repository], Snapshot] | None" = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.perf_counter)
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def took_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

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
        from cidx.repository import repository

        return repository.find(self.directory, self.users)

    def settings(self, repository: "Repository") -> "Settings":
        from cidx.repository import settings

        return settings.load(repository.folder, self.users.config, self.environment)

    def snapshot(self, repository: "Repository") -> "Snapshot":
        """The published generation: the warm one where a daemon holds it, else opened for this run."""
        if self.source is not None:
            return self.source(repository)
        snapshot = _open_current(repository)
        self.resources.callback(snapshot.close)
        return snapshot
