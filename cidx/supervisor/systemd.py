"""systemd's user manager: the one place that calls systemctl and knows where unit files lie.

A service is a pair of units. Its socket is enabled and listens; its daemon comes and goes. Every call names the manager
by its runtime folder, so that it is reached from `su` and cron too, where the environment does not name it.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cidx.api.errors import CidxError, Code
from cidx.repository.repository import UserFolders
from cidx.supervisor import files, units
from cidx.supervisor.service import Daemon, Definition, Installed, Socket, State, is_ours, place_of

# A manager that does not answer for this long hangs; stopping a daemon may take its TimeoutStopSec.
_PATIENCE_S = 60
# In every journal record of a main process that did not end well (systemd's catalog).
_PROCESS_EXITED = "98e322203f7a4ed290d09fe03c09fe15"
_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload,MainPID,MemoryCurrent,NRestarts,"
    "ExecMainCode,ExecMainStatus,ExecMainExitTimestamp,InactiveExitTimestampMonotonic,StatusText"
)


class Systemd:
    """See `cidx.supervisor.service.Supervisor`."""

    name = "systemd"

    def __init__(
        self, *, runtime: Path, folder: Path, users: UserFolders, environment: Mapping[str, str]
    ) -> None:
        self._runtime = runtime
        self._folder = folder
        self._home = users.home
        self._environment = {**environment, "XDG_RUNTIME_DIR": str(runtime), "LC_ALL": "C.UTF-8"}

    def files(self, definition: Definition) -> dict[Path, str]:
        return self._files(definition, made=())

    def installed(self) -> list[Installed]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        ids = {id_ for name in names if (id_ := units.id_of(name)) is not None}
        return sorted((self._read(id_) for id_ in ids), key=lambda service: (service.root, service.id))

    def states(self, services: Sequence[Installed]) -> list[State]:
        if not services:
            return []
        names = [name for service in services for name in _names(service.id)]
        output = self._systemctl("show", "--property", _PROPERTIES, "--", *names)
        shown = {block["Id"]: block for block in map(_properties, output.split("\n\n")) if "Id" in block}
        return [self._state(service, shown) for service in services]

    def install(self, definitions: Sequence[Definition]) -> list[str]:
        before = {service.id: service for service in self.installed()}
        made = dict.fromkeys(
            folder
            for service in before.values()
            for folder in service.made
            if self._folder.is_relative_to(folder) or Path(folder).is_relative_to(self._folder)
        )
        made |= dict.fromkeys(files.missing_folders(self._folder / "sockets.target.wants"))
        wanted = {
            definition.id: self._files(
                definition,
                made=before[definition.id].made if definition.id in before else (*made, *definition.made),
            )
            for definition in definitions
        }
        changed = {
            file.name
            for texts in wanted.values()
            for file, text in texts.items()
            if not files.same(file, text)
        }
        for texts in wanted.values():
            for file, text in texts.items():
                if file.name in changed:
                    files.write(file, text, mode=0o644)
        try:
            self._bring_up(list(wanted), changed)
        except CidxError:
            self.uninstall([service for service in self.installed() if service.id in wanted.keys() - before])
            raise
        return [id_ for id_ in wanted if changed & set(_names(id_))]

    def uninstall(self, services: Sequence[Installed]) -> None:
        if not services:
            return
        names = [name for service in services for name in _names(service.id)]
        self._systemctl("stop", "--", *names, may_fail=True)
        self._systemctl("disable", "--no-reload", "--", *names, may_fail=True)
        for service in services:
            for name in _names(service.id):
                files.remove(self._folder / name)
            # Where the unit file was gone already, systemd leaves its link.
            files.remove(self._folder / "sockets.target.wants" / units.socket_name(service.id))
            files.remove(self._runtime / "cidx" / f"{service.id}.sock")
        files.remove_empty([folder for service in services for folder in service.made])
        self._systemctl("reset-failed", "--", *names, may_fail=True)
        self.reload()
        files.remove_empty([str(self._runtime / "cidx")])

    def release(self, id_: str) -> None:
        self._systemctl("stop", "--", *_names(id_), may_fail=True)

    def restart(self, services: Sequence[Installed]) -> None:
        names = [name for service in services for name in _names(service.id)]
        self._systemctl("reset-failed", "--", *names, may_fail=True)
        # A start makes no missing socket file; a restart does, and takes a running daemon along.
        self._systemctl("restart", "--", *(units.socket_name(service.id) for service in services))

    def reload(self) -> None:
        self._systemctl("daemon-reload")

    def log_command(
        self, service: Installed, *, lines: int | None, since: str, follow: bool
    ) -> Sequence[str]:
        # Without a number of lines, following would begin with the last ten.
        command = [
            "journalctl",
            "--user",
            "--no-pager",
            "--quiet",
            f"--lines={'all' if lines is None else lines}",
        ]
        command += [f"--unit={name}" for name in _names(service.id)]
        command += [f"--since={since}"] if since else []
        return [*command, "--follow"] if follow else command

    def last_failure(self, service: Installed) -> str:
        unit = units.service_name(service.id)
        command = ["journalctl", "--user", "--quiet", "--output=short-iso", "--lines=1"]
        try:
            done = subprocess.run(
                [*command, f"--unit={unit}", f"MESSAGE_ID={_PROCESS_EXITED}"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return ""
        when, _, what = done.stdout.strip().partition(" ")
        end = what.rpartition("Main process exited, ")[2]
        return f"{end}, {when}" if end else ""

    def unit_path(self) -> list[str]:
        """Where the manager looks for units."""
        return self._systemctl("show", "--property", "UnitPath", "--value").split()

    def environment(self) -> Mapping[str, str]:
        lines = self._systemctl("show-environment").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _files(self, definition: Definition, *, made: Sequence[str]) -> dict[Path, str]:
        return {
            self._folder / units.socket_name(definition.id): units.socket_text(definition, made=made),
            self._folder / units.service_name(definition.id): units.service_text(definition, made=made),
        }

    def _bring_up(self, ids: Sequence[str], changed: set[str]) -> None:
        sockets = [units.socket_name(id_) for id_ in ids]
        self._systemctl("enable", "--no-reload", "--", *sockets)
        self.reload()
        self._systemctl("reset-failed", "--", *(name for id_ in ids for name in _names(id_)), may_fail=True)
        # A daemon of the old definition makes room; the next query starts one of the new.
        old = [name for id_ in ids if (name := units.service_name(id_)) in changed]
        if old:
            self._systemctl("stop", "--", *old)
        anew = [name for name in sockets if name in changed]
        if anew:
            self._systemctl("restart", "--", *anew)
        self._systemctl("start", "--", *sockets)

    def _read(self, id_: str) -> Installed:
        paths = [self._folder / name for name in _names(id_)]
        found = {path: units.fields(text) for path in paths if (text := _text(path)) is not None}
        merged: dict[str, str] = {}
        for fields in found.values():
            merged |= fields
        versions = [_number(fields.get("UnitVersion", "")) for fields in found.values()]
        made = units.from_field(merged.get("Made", "[]"))
        return Installed(
            id=id_,
            root=_word(units.from_field(merged.get("Repository", '""'))),
            version=min(versions, default=0),
            python=_word(units.from_field(merged.get("Python", '""'))),
            files=tuple(found),
            made=tuple(map(str, made)) if isinstance(made, list) else (),
            complete=len(found) == len(paths) and all("Repository" in fields for fields in found.values()),
        )

    def _state(self, service: Installed, shown: Mapping[str, Mapping[str, str]]) -> State:
        socket = shown.get(units.socket_name(service.id), {})
        daemon = shown.get(units.service_name(service.id), {})
        path = self._runtime / "cidx" / f"{service.id}.sock"
        memory = daemon.get("MemoryCurrent", "")
        return State(
            installed=service,
            place=place_of(service, home=str(self._home)),
            python_exists=os.access(service.python, os.X_OK),
            python_is_ours=is_ours(service.python),
            loaded=socket.get("LoadState") == daemon.get("LoadState") == "loaded",
            enabled=socket.get("UnitFileState", "").startswith("enabled"),
            needs_reload="yes" in (socket.get("NeedDaemonReload"), daemon.get("NeedDaemonReload")),
            socket=_socket_state(socket),
            socket_path=str(path),
            socket_exists=path.is_socket(),
            socket_result=socket.get("Result", ""),
            daemon=_daemon_state(daemon),
            daemon_result=daemon.get("Result", ""),
            starting_s=_starting_s(daemon),
            pid=_number(daemon.get("MainPID", "")),
            memory_bytes=_number(memory) if len(memory) < 19 else 0,
            restarts=_number(daemon.get("NRestarts", "")),
            last_exit=_last_exit(daemon),
            says=daemon.get("StatusText", ""),
        )

    def _systemctl(self, *arguments: str, may_fail: bool = False) -> str:
        command = ["systemctl", "--user", "--no-ask-password", *arguments]
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except FileNotFoundError:
            raise _failure(arguments, "systemctl is not on PATH") from None
        except subprocess.TimeoutExpired:
            raise _failure(arguments, f"it did not answer within {_PATIENCE_S} s") from None
        if done.returncode and not may_fail:
            raise _failure(arguments, " ".join(done.stderr.split()) or f"it ended with {done.returncode}")
        return done.stdout


def _names(id_: str) -> tuple[str, str]:
    return units.socket_name(id_), units.service_name(id_)


def _text(file: Path) -> str | None:
    """A unit file that has something in it: an empty one, or a link to nothing, masks the unit."""
    try:
        return file.read_text(encoding="utf-8", errors="replace") or None
    except OSError:
        return None


def _properties(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _socket_state(shown: Mapping[str, str]) -> Socket:
    match shown.get("ActiveState"):
        case "active" | "reloading":
            return Socket.LISTENING
        case "failed":
            return Socket.FAILED
        case _:
            return Socket.STOPPED


def _daemon_state(shown: Mapping[str, str]) -> Daemon:
    match shown.get("ActiveState"):
        case "active" | "reloading":
            return Daemon.RUNNING
        case "activating":
            return Daemon.STARTING
        case "failed":
            return Daemon.FAILED
        case _:
            return Daemon.IDLE


def _starting_s(shown: Mapping[str, str]) -> float:
    """How long it has been on its way, retries included; 0 where it is not."""
    since_us = _number(shown.get("InactiveExitTimestampMonotonic", ""))
    if _daemon_state(shown) is not Daemon.STARTING or not since_us:
        return 0
    return time.monotonic() - since_us / 1_000_000


# CLD_… of waitid, as ExecMainCode has them.
_ENDS = {"1": "exit code {}", "2": "killed by signal {}", "3": "crashed by signal {}"}


def _last_exit(shown: Mapping[str, str]) -> str:
    """How the main process ended last; empty where none has."""
    end = _ENDS.get(shown.get("ExecMainCode", ""))
    if end is None:
        return ""
    when = shown.get("ExecMainExitTimestamp", "")
    text = end.format(shown.get("ExecMainStatus", ""))
    return f"{text}, {when}" if when else text


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _failure(arguments: Sequence[str], why: str) -> CidxError:
    return CidxError(
        Code.SUPERVISOR_FAILED,
        what=f"systemctl --user {arguments[0]} failed",
        why=why,
        next_step="cidx service status; journalctl --user -n 20 has more",
    )
