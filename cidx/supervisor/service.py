"""One repository's service as a value: what it should be, what is installed, and what the supervisor says of it.

A `Supervisor` (systemd or launchd) turns the first into the second and reports the third. What is wrong is decided
elsewhere (`diagnosis`), from values alone.
"""

import enum
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cidx.api.errors import CidxError, Code
from cidx.client import address

# 1: the first units.
UNIT_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What the service of a repository should be. `made` are the folders that were made for it."""

    id: str
    root: str
    socket: str
    python: str
    environment_file: str
    memory_limit_mb: int
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What lies in the supervisor's folder. `made` are the folders that did not exist before cidx.

    `root` is empty and `version` 0 where somebody has taken those fields out.
    """

    id: str
    root: str
    version: int
    python: str
    files: tuple[Path, ...]
    made: tuple[str, ...] = ()
    complete: bool = True


class Place(enum.StrEnum):
    """What is at the root that a service was installed for."""

    REPOSITORY = "repository"
    MISSING = "missing"
    NO_REPOSITORY = "no repository"


def place_of(service: Installed, *, home: str) -> Place:
    """Look whether the repository is still where it was."""
    if not service.root or not os.path.isdir(service.root):
        return Place.MISSING
    found = address.find_root(service.root, home=home)
    if found != service.root or address.repository_id(found) != service.id:
        return Place.NO_REPOSITORY
    return Place.REPOSITORY


def this_python() -> str:
    """The Python that runs now under its own path: resolved, it would no longer know its environment."""
    return os.path.abspath(sys.executable)


def is_ours(python: str) -> bool:
    """Whether a Python is that of the environment that runs now, by whichever of its names."""
    here = os.path.dirname(this_python())
    return os.path.realpath(os.path.dirname(python)) == os.path.realpath(here)


class Socket(enum.StrEnum):
    """What the supervisor does for the socket."""

    LISTENING = "listening"
    STOPPED = "stopped"
    FAILED = "failed"


class Daemon(enum.StrEnum):
    """What the supervisor says of the process. Idle: none is needed now."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is known of one installed service, without asking its daemon.

    `starting_s` counts while the daemon starts; `says` is the daemon's own status line.
    """

    installed: Installed
    place: Place
    python_exists: bool
    python_is_ours: bool
    loaded: bool
    enabled: bool
    needs_reload: bool
    socket: Socket
    socket_path: str
    socket_exists: bool
    socket_result: str
    daemon: Daemon
    daemon_result: str
    starting_s: float
    pid: int
    memory_bytes: int
    restarts: int
    last_exit: str
    says: str

    @property
    def word(self) -> str:
        """The state in one word: running, starting, listening, stopped or failed."""
        if self.socket is Socket.FAILED or self.daemon is Daemon.FAILED:
            return "failed"
        if self.daemon in (Daemon.RUNNING, Daemon.STARTING):
            return str(self.daemon)
        return str(self.socket)


class Supervisor(Protocol):
    """systemd or launchd, for the services of this user. Every failure is a `CidxError`."""

    @property
    def name(self) -> str: ...

    def files(self, definition: Definition) -> dict[Path, str]:
        """What would be written. Refuses what the supervisor has no way to say."""
        ...

    def installed(self) -> list[Installed]:
        """Every service of this user, in the order of their roots."""
        ...

    def states(self, services: Sequence[Installed]) -> list[State]: ...

    def install(self, definitions: Sequence[Definition]) -> list[str]:
        """Write, enable and listen; the ids of those that were changed by it."""
        ...

    def uninstall(self, services: Sequence[Installed]) -> None:
        """Stop them and remove whatever `install` made."""
        ...

    def release(self, id_: str) -> None:
        """Let go of a socket that is held although its files are gone."""
        ...

    def restart(self, services: Sequence[Installed]) -> None:
        """Listen anew, failures forgotten; a daemon that runs makes room for another."""
        ...

    def reload(self) -> None:
        """Read definitions that were edited."""
        ...

    def log_command(
        self, service: Installed, *, lines: int | None, since: str, follow: bool
    ) -> Sequence[str]:
        """The program that prints the service's log, all of it where `lines` is None."""
        ...

    def last_failure(self, service: Installed) -> str:
        """How a daemon ended that has been replaced since, as far as that is known."""
        ...

    def environment(self) -> Mapping[str, str]:
        """The variables that a daemon starts with, the environment file left out."""
        ...


def unsayable(path: str, name: str, why: str, *, remedy: str = "") -> CidxError:
    """The refusal of a path that the supervisor's files have no way to say."""
    shown = ascii(path) if len(path) <= 300 else f"…{path[-300:]!a}"
    return CidxError(
        Code.UNSUPPORTED_PATH,
        what=f"{name} can't be written into the supervisor's files: {shown}",
        why=why,
        next_step=f"{remedy or 'rename the folder'}, or run the daemon by hand: cidx daemon serve",
    )
