"""launchd's agents: the one place that calls launchctl and knows where property lists lie.

A service is one agent whose socket launchd holds. Of two domains it lives in that of the graphical session, or in the
user's where there is none (SSH). launchctl speaks in exit codes, and `bootout` returns before it is done.
"""

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cidx.api.errors import CidxError, Code
from cidx.client import address
from cidx.repository.repository import UserFolders
from cidx.supervisor import environment_file, files, plists
from cidx.supervisor.service import Daemon, Definition, Installed, Socket, State, is_ours, place_of

_PATIENCE_S = 60
# ExitTimeOut of the plist, and some.
_LEAVING_S = 20.0

# Exit codes of launchctl. EIO says little: the agent is loaded already, or its plist is no good.
_EIO = 5
_EINPROGRESS, _EALREADY = 36, 37
_NO_SUCH_SERVICE = 113
_NO_SUCH_DOMAIN = 125

_PROPERTY = re.compile(r"^\t([a-z ]+) = (.*)$", re.MULTILINE)
_VARIABLE = re.compile(r"^\s+(\w+) => (.*)$", re.MULTILINE)


class Launchd:
    """See `cidx.supervisor.service.Supervisor`."""

    name = "launchd"

    def __init__(self, *, users: UserFolders, environment: Mapping[str, str]) -> None:
        self._users = users
        self._environment = dict(environment)
        self._folder = users.home / "Library/LaunchAgents"
        self._logs = users.home / "Library/Logs/cidx"
        self._domains = (f"gui/{os.getuid()}", f"user/{os.getuid()}")

    def files(self, definition: Definition) -> dict[Path, str]:
        return {self._plist(definition.id): self._text(definition, made=())}

    def installed(self) -> list[Installed]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        ids = {id_ for name in names if (id_ := plists.id_of(name)) is not None}
        return sorted((self._read(id_) for id_ in ids), key=lambda service: (service.root, service.id))

    def states(self, services: Sequence[Installed]) -> list[State]:
        if not services:
            return []
        disabled = self._disabled()
        return [self._state(service, disabled) for service in services]

    def install(self, definitions: Sequence[Definition]) -> list[str]:
        before = {service.id: service for service in self.installed()}
        missing = [f for folder in self._own_folders for f in files.missing_folders(folder)]
        inherited = [
            folder for service in before.values() for folder in service.made if self._is_ours(folder)
        ]
        changed = []
        for definition in definitions:
            known = before.get(definition.id)
            made = known.made if known else tuple(dict.fromkeys((*inherited, *missing, *definition.made)))
            text = self._text(definition, made=made)
            plist = self._plist(definition.id)
            same = files.same(plist, text)
            if not same:
                # It may hold what the environment file holds.
                files.write(plist, text, mode=0o600)
            self._make_ready(definition)
            try:
                if self._bring_up(definition.id, anew=not same) or not same:
                    changed.append(definition.id)
            except CidxError:
                if known is None:
                    self.uninstall([self._read(definition.id)])
                raise
        return changed

    def uninstall(self, services: Sequence[Installed]) -> None:
        for service in services:
            self._boot_out(service.id)
            files.remove(self._plist(service.id))
            # launchd leaves the socket where it is.
            files.remove(self._socket(service.id))
            files.remove(self._log(service.id))
        files.remove_empty([folder for service in services for folder in service.made])
        files.remove_empty([str(self._socket("").parent)])

    def release(self, id_: str) -> None:
        self._boot_out(id_)

    def restart(self, services: Sequence[Installed]) -> None:
        for service in services:
            self._bring_up(service.id, anew=True)

    def reload(self) -> None:
        """There is nothing to reload: an agent is as it was bootstrapped."""

    def log_command(
        self, service: Installed, *, lines: int | None, since: str, follow: bool
    ) -> Sequence[str]:
        if since:
            raise CidxError(
                Code.USAGE,
                what="--since can't be used here",
                why="launchd's log is a plain file, which nothing searches by time",
                next_step="cidx service logs -n 100",
            )
        command = ["tail", "-n", "+1" if lines is None else str(lines)]
        return [*command, *(["-F"] if follow else []), str(self._log(service.id))]

    def last_failure(self, service: Installed) -> str:
        """launchd keeps one exit code, that of the state."""
        return ""

    def environment(self) -> Mapping[str, str]:
        return dict(_VARIABLE.findall(self._launchctl("print", self._domains[0]).stdout))

    def _plist(self, id_: str) -> Path:
        return self._folder / f"{plists.label(id_)}.plist"

    def _log(self, id_: str) -> Path:
        return self._logs / f"{id_}.log"

    def _socket(self, id_: str) -> Path:
        # On macOS there is one place (cidx.client.address).
        path = address.socket_path("/", environment={}, home=str(self._users.home))
        return Path(path).parent / f"{id_}.sock"

    @property
    def _own_folders(self) -> tuple[Path, ...]:
        return self._folder, self._logs, self._socket("").parent

    def _is_ours(self, folder: str) -> bool:
        return any(own.is_relative_to(folder) for own in self._own_folders)

    def _text(self, definition: Definition, *, made: Sequence[str]) -> str:
        variables = environment_file.load(Path(definition.environment_file))
        return plists.text(definition, log=self._log(definition.id), environment=variables, made=made)

    def _make_ready(self, definition: Definition) -> None:
        """launchd makes no folders, and `logs` wants a file before the daemon has written one."""
        Path(definition.socket).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._log(definition.id).exists():
            files.write(self._log(definition.id), "", mode=0o600)

    def _bring_up(self, id_: str, *, anew: bool) -> bool:
        """Let launchd listen; whether it did not before."""
        if self._print(id_) is not None:
            if not anew:
                return False
            self._boot_out(id_)
        files.remove(self._socket(id_))
        self._bootstrap(id_)
        return True

    def _bootstrap(self, id_: str) -> None:
        until = time.monotonic() + _LEAVING_S
        domains = list(self._domains)
        while True:
            # Somebody may have disabled it; that lasts until it is enabled again.
            self._launchctl("enable", f"{domains[0]}/{plists.label(id_)}")
            done = self._launchctl("bootstrap", domains[0], str(self._plist(id_)))
            if done.returncode == 0:
                return
            if done.returncode == _NO_SUCH_DOMAIN and len(domains) > 1:
                del domains[0]
                continue
            # Another bootstrap was faster, or the bootout before is still at work.
            if done.returncode in (_EIO, _EALREADY) and self._print(id_) is not None:
                return
            if done.returncode not in (_EIO, _EINPROGRESS, _EALREADY) or time.monotonic() > until:
                raise _failure("bootstrap", done)
            if done.returncode == _EIO:
                until = min(until, time.monotonic() + 1)
            time.sleep(0.1)

    def _boot_out(self, id_: str) -> None:
        for domain in self._domains:
            target = f"{domain}/{plists.label(id_)}"
            if self._launchctl("print", target).returncode:
                continue
            done = self._launchctl("bootout", target)
            until = time.monotonic() + _LEAVING_S
            while self._launchctl("print", target).returncode == 0:
                if time.monotonic() > until:
                    raise _failure("bootout", done)
                time.sleep(0.1)

    def _print(self, id_: str) -> dict[str, str] | None:
        """What launchd says of an agent; None where it does not know it."""
        for domain in self._domains:
            done = self._launchctl("print", f"{domain}/{plists.label(id_)}")
            if done.returncode == 0:
                return dict(reversed(_PROPERTY.findall(done.stdout)))
        return None

    def _disabled(self) -> set[str]:
        found: set[str] = set()
        for domain in self._domains:
            shown = self._launchctl("print-disabled", domain).stdout
            found |= set(re.findall(r'"(dev\.cidx\.\w+)" => (?:true|disabled)', shown))
        return found

    def _read(self, id_: str) -> Installed:
        plist = self._plist(id_)
        try:
            found = plists.load(plist.read_bytes())
        except OSError:
            found = {}
        root, version = found.get("CidxRepository"), found.get("CidxUnitVersion")
        program, made = found.get("ProgramArguments"), found.get("CidxMade")
        return Installed(
            id=id_,
            root=root if isinstance(root, str) else "",
            version=version if isinstance(version, int) else 0,
            python=str(program[0]) if isinstance(program, list) and program else "",
            files=(plist,),
            made=tuple(map(str, made)) if isinstance(made, list) else (),
            complete=isinstance(root, str),
        )

    def _state(self, service: Installed, disabled: set[str]) -> State:
        shown = self._print(service.id)
        said = shown or {}
        path = self._socket(service.id)
        pid = int(said["pid"]) if said.get("pid", "").isdecimal() else 0
        code = said.get("last exit code", "")
        return State(
            installed=service,
            place=place_of(service, home=str(self._users.home)),
            python_exists=os.access(service.python, os.X_OK),
            python_is_ours=is_ours(service.python),
            loaded=shown is not None,
            enabled=plists.label(service.id) not in disabled,
            needs_reload=False,
            socket=Socket.STOPPED if shown is None else Socket.LISTENING,
            socket_path=str(path),
            socket_exists=path.is_socket(),
            socket_result="",
            daemon=Daemon.RUNNING if pid else Daemon.IDLE,
            daemon_result="",
            starting_s=0,
            pid=pid,
            memory_bytes=0,
            restarts=0,
            last_exit="" if code.startswith("(never") or not code else f"exit code {code}",
            says="",
        )

    def _launchctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                ["launchctl", *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except FileNotFoundError:
            raise _failed(arguments[0], "launchctl is not on PATH") from None
        except subprocess.TimeoutExpired:
            raise _failed(arguments[0], f"it did not answer within {_PATIENCE_S} s") from None


def _failure(verb: str, done: "subprocess.CompletedProcess[str]") -> CidxError:
    said = " ".join((done.stderr or done.stdout).split())
    return _failed(verb, f"{said} (exit {done.returncode})" if said else f"it ended with {done.returncode}")


def _failed(verb: str, why: str) -> CidxError:
    return CidxError(
        Code.SUPERVISOR_FAILED,
        what=f"launchctl {verb} failed",
        why=why,
        next_step="cidx service status; Console.app shows what launchd logged",
    )
