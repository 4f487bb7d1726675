"""Installing, removing and mending services, the same for every supervisor.

Everything that can be refused is refused before anything is written. Installing what is installed changes nothing, and
what is made here (the link for people, the repository's folder) goes when the service goes.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cidx.api.errors import CidxError, Code
from cidx.client import address, call
from cidx.repository import limits
from cidx.repository import repository as repositories
from cidx.repository.repository import LINK, Repository, UserFolders
from cidx.repository.settings import Settings
from cidx.supervisor import environment_file
from cidx.supervisor.diagnosis import Fault, Mending, faults
from cidx.supervisor.files import missing_folders, remove_empty
from cidx.supervisor.service import Definition, Installed, Place, Socket, State, Supervisor, this_python

# A daemon finishes what it does before it leaves.
_LEAVING_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """The services of one user. `settings` gives what a repository wants."""

    supervisor: Supervisor
    users: UserFolders
    environment: Mapping[str, str]
    settings: Callable[[Repository], Settings]

    def define(self, repository: Repository) -> Definition:
        """What the service of a repository should be, run by the Python that runs now."""
        socket_path = address.socket_path(
            str(repository.root), environment=self.environment, home=str(self.users.home)
        )
        limit = self.settings(repository).daemon.memory_limit_mb
        return Definition(
            id=repository.id,
            root=str(repository.root),
            socket=socket_path,
            python=this_python(),
            environment_file=str(environment_file.path(self.users)),
            memory_limit_mb=limit or limits.derived_mb(repository),
            made=missing_folders(repository.index_folder),
        )

    def install(self, wanted: Sequence[Repository]) -> list[str]:
        """Install services, or bring them up to date; the ids of those that changed."""
        definitions = [self.define(repository) for repository in wanted]
        for definition in definitions:
            self.supervisor.files(definition)
        for python in {definition.python for definition in definitions}:
            _check_python(python)
        known = {service.id: service for service in self.supervisor.installed()}
        listening = {
            state.installed.id
            for state in self.supervisor.states([known[r.id] for r in wanted if r.id in known])
            if state.socket is Socket.LISTENING
        }
        for definition in definitions:
            if definition.id not in known:
                self.supervisor.release(definition.id)
            if definition.id not in listening:
                _stop_foreground(definition)
        for repository in wanted:
            repositories.prepare(repository)
        try:
            changed = self.supervisor.install(definitions)
        except CidxError:
            for definition in definitions:
                if definition.id not in known:
                    self._remove_traces(definition.root, definition.id, definition.made)
            raise
        for repository, definition in zip(wanted, definitions, strict=True):
            _link(repository, definition.socket)
        return changed

    def uninstall(self, services: Sequence[Installed]) -> None:
        """Leave nothing behind."""
        self.supervisor.uninstall(services)
        for service in services:
            self._remove_traces(service.root, service.id, service.made)

    def restart(self, services: Sequence[Installed]) -> None:
        self.supervisor.restart(services)
        for service in services:
            self._link_again(service)

    def repair(self, state: State, fault: Fault) -> None:
        """Do what mends one fault."""
        service = state.installed
        match fault.mending:
            case Mending.REMOVE:
                self.uninstall([service])
            case Mending.REWRITE | Mending.ENABLE:
                self.install([repositories.at(Path(service.root), self.users)])
            case Mending.RELOAD:
                self.supervisor.reload()
            case Mending.RESTART:
                self.restart([service])
            case Mending.NONE:
                pass

    def repair_all(self, services: Sequence[Installed]) -> Iterator[tuple[State, Fault, bool]]:
        """Mend services one by one: each fault, and whether it was mended."""
        for service in services:
            (state,) = self.supervisor.states([service])
            for fault in faults(state):
                self.repair(state, fault)
            if state.place is Place.REPOSITORY:
                self._link_again(service)
            again = next((s for s in self.supervisor.installed() if s.id == service.id), None)
            left = {f.code for f in faults(self.supervisor.states([again])[0])} if again else set()
            for fault in faults(state):
                yield state, fault, fault.code not in left

    def _link_again(self, service: Installed) -> None:
        repository = repositories.at(Path(service.root), self.users)
        path = address.socket_path(service.root, environment=self.environment, home=str(self.users.home))
        if repository.folder.is_dir():
            _link(repository, path)

    def _remove_traces(self, root: str, id_: str, made: Sequence[str]) -> None:
        """The link, and the repository's folder if it was made for the service and never used."""
        for folder in (Path(root) / address.FOLDER, self.users.cache / id_):
            link = folder / LINK
            if link.is_symlink() and os.path.basename(os.readlink(link)) == f"{id_}.sock":
                link.unlink()
            if str(folder) in made and _is_unused(folder):
                shutil.rmtree(folder, ignore_errors=True)
        remove_empty(made)


def warm_up(definition: Definition) -> str | None:
    """Ask the daemon something, so that it opens the index; its answer as JSON, None where none came."""
    found = call.value(
        definition.socket, definition.root, "query_hybrid", (os.fsencode(definition.root), "warm up")
    )
    return found if isinstance(found, str) else None


def _check_python(python: str) -> None:
    """The supervisor starts it in an environment of its own: it has to find cidx there too."""
    done = subprocess.run(
        [python, "-I", "-c", "import cidx"],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise CidxError(
            Code.SUPERVISOR_FAILED,
            what=f"a service could not run cidx with {python}",
            why="this Python finds cidx only with the help of this shell's environment (PYTHONPATH)",
            next_step="install cidx with ./install.sh, and run that cidx",
        )


def _stop_foreground(definition: Definition) -> None:
    """End a daemon that a person has started: the supervisor would replace its socket under it."""
    path = definition.socket
    if not _accepts(path):
        return
    told = call.value(path, definition.root, "shutdown")
    until = time.monotonic() + _LEAVING_S
    while told and _accepts(path) and time.monotonic() < until:
        time.sleep(0.05)
    if _accepts(path):
        raise CidxError(
            Code.UNREACHABLE,
            what=f"a daemon in the foreground serves {definition.root} and does not leave",
            why="it was asked to, but is hung, of another version, or still at work"
            if told
            else "it did not understand",
            next_step="end it (Ctrl-C where it runs), then install again",
        )


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True


def _link(repository: Repository, target: str) -> None:
    """The link for people; whoever can't have one does without."""
    link = repository.folder / LINK
    try:
        if link.is_symlink() and os.readlink(link) == target:
            return
        if os.path.lexists(link):
            link.unlink()
        link.symlink_to(target)
    except OSError:
        return


def _is_unused(folder: Path) -> bool:
    """Whether a repository's folder holds only what preparing it makes."""
    index = folder / repositories.INDEX
    try:
        names = {path.name for path in folder.iterdir()}
        return names <= {".gitignore", index.name} and not (index.is_dir() and any(index.iterdir()))
    except OSError:
        return False
