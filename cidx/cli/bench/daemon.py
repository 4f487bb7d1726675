"""A daemon of our own, in a private place: nobody's service is asked, disturbed or needed.

It gets the user's environment, but for what would make it somebody else's or let it write: it answers from the index as
that is. It is ended by its number when the block ends; should nobody be left to do that, it leaves when idle.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cidx.api.errors import CidxError, Code
from cidx.cli.bench import programs, vitals
from cidx.client import address, call

# A socket's path has at most 107 bytes, on macOS 103: the rest of ours takes 51.
_LONGEST_FOLDER = 50
_READY_S = 30.0
_END_S = 10.0
_STEP_S = 0.002
# What would start or tell somebody else's supervisor, or keep the clients from asking.
_LEFT_OUT = ("CIDX_STANDALONE", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS")
_OUR_OWN = {
    "CIDX_DAEMON_AUTO_INDEX": "false",
    "CIDX_DAEMON_TTL_MINUTES": "5",
    "CIDX_DAEMON_AUTO_SHUTDOWN_ON_IDLE": "true",
    "CIDX_LOG": "warning",
}


class Place(NamedTuple):
    """Where the daemon of a root listens, and the environment of everybody who is to find it there."""

    root: Path
    folder: Path
    socket: str
    environment: Mapping[str, str]


class Daemon(NamedTuple):
    """One that runs, and how long it took to be ready."""

    place: Place
    process: "subprocess.Popen[bytes]"
    ready_s: float

    @property
    def private_bytes(self) -> int:
        return vitals.private_bytes(self.process.pid)

    @property
    def cpu_s(self) -> float:
        return vitals.cpu_s(self.process.pid)

    def status(self) -> dict[str, Any] | None:
        """What it says of itself; None once it no longer answers."""
        found = call.value(self.place.socket, str(self.place.root), "get_status")
        return json.loads(found) if isinstance(found, str) else None


@contextlib.contextmanager
def private_place(root: Path, environment: Mapping[str, str], home: Path) -> Iterator[Place]:
    """A temporary folder with a short path, as the runtime folder."""
    usual = tempfile.gettempdir()
    short = usual if len(os.fsencode(usual)) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108  (0700, random name)
    with tempfile.TemporaryDirectory(prefix="cidx-bench-", dir=short) as name:
        folder = Path(name)
        found = {name: value for name, value in environment.items() if name not in _LEFT_OUT} | _OUR_OWN
        found["XDG_RUNTIME_DIR"] = name
        if sys.platform == "darwin":
            # There the socket is in the home folder.
            home = home_of_links(folder / "home", home)
            found["HOME"] = str(home)
        socket = address.socket_path(str(root), environment=found, home=str(home))
        yield Place(root, folder, socket, found)


def home_of_links(folder: Path, home: Path) -> Path:
    """A home folder with everything that a home folder has, but for its sockets."""
    folder.mkdir(mode=0o700)
    for entry in home.iterdir():
        if entry.name != ".cidx":
            (folder / entry.name).symlink_to(entry)
    return folder


@contextlib.contextmanager
def started(place: Place) -> Iterator[Daemon]:
    """A daemon, ready; it has ended when the block has."""
    with (place.folder / "daemon.log").open("w+b") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*programs.heavy(), "daemon", "serve", "--root", str(place.root)],
            cwd=place.root,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            # Ctrl-C is for us: we end it.
            start_new_session=True,
        )
        try:
            while call.value(place.socket, str(place.root), "ping") != "pong":
                if process.poll() is not None or time.perf_counter() - began > _READY_S:
                    raise _not_started(said.name)
                time.sleep(_STEP_S)
            yield Daemon(place, process, time.perf_counter() - began)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _not_started(log: str) -> CidxError:
    said = Path(log).read_text("utf-8", "replace").splitlines()
    return CidxError(
        Code.UNREACHABLE,
        what="no daemon could be started to be measured",
        why="; ".join(line.strip() for line in said[-3:]) or f"it said nothing for {_READY_S:.0f} s",
        next_step="cidx daemon serve, which shows what happens",
    )
