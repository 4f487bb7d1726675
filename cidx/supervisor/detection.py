"""Finds the supervisor that runs here for this user, or says in one line why there is none.

systemd: PID 1 is systemd, and the user's manager has its private socket in the runtime folder. launchd: macOS. Nothing
is asked of either yet; a stat or two decide.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cidx.api.errors import CidxError, Code
from cidx.client import address
from cidx.repository.repository import UserFolders
from cidx.supervisor.service import Supervisor
from cidx.supervisor.systemd import Systemd

INSTEAD = "cidx daemon serve keeps a repository warm; without it commands answer in their own process"


@dataclass(frozen=True, slots=True)
class Absent:
    """No supervisor: why, and what would bring one."""

    why: str
    remedy: str = ""


def find(
    users: UserFolders, environment: Mapping[str, str], *, system: Path = Path("/")
) -> Supervisor | Absent:
    """The supervisor of this user. `system` is the root folder of the machine."""
    if sys.platform == "darwin":
        # Property lists bring an XML parser along, which nobody else needs.
        from cidx.supervisor.launchd import Launchd

        return Launchd(users=users, environment=environment)
    if not (system / "run/systemd/system").is_dir():
        return Absent(*_why_no_systemd(environment, system))
    runtime = _runtime(users, environment)
    if runtime is not None and _has_manager(runtime):
        return Systemd(
            runtime=runtime,
            folder=_unit_folder(users, environment, runtime),
            users=users,
            environment=environment,
        )
    return Absent(*_why_no_manager(environment, runtime))


def get(users: UserFolders, environment: Mapping[str, str]) -> Supervisor:
    """The supervisor, where one is required."""
    found = find(users, environment)
    if isinstance(found, Absent):
        raise CidxError(
            Code.NO_SUPERVISOR,
            what="there is no supervisor that could own the socket",
            why=found.why,
            next_step=f"{found.remedy}, or: {INSTEAD}" if found.remedy else INSTEAD,
        )
    return found


def _runtime(users: UserFolders, environment: Mapping[str, str]) -> Path | None:
    """The runtime folder that the client looks in; None where it has to do without."""
    path = Path(address.socket_path("/", environment=environment, home=str(users.home)))
    return path.parent.parent if path.parent.name == "cidx" else None


def _has_manager(runtime: Path) -> bool:
    return (runtime / "systemd/private").is_socket()


def _unit_folder(users: UserFolders, environment: Mapping[str, str], runtime: Path) -> Path:
    """The user's own units. Where the shell has moved its configuration, the manager may not have."""
    usual = users.home / ".config/systemd/user"
    moved = environment.get("XDG_CONFIG_HOME", "")
    if not moved or Path(moved) == users.home / ".config":
        return usual
    folder = Path(moved) / "systemd/user"
    manager = Systemd(runtime=runtime, folder=folder, users=users, environment=environment)
    return folder if str(folder) in manager.unit_path() else usual


def _why_no_systemd(environment: Mapping[str, str], system: Path) -> tuple[str, str]:
    if _has(system / "proc/sys/kernel/osrelease", "microsoft"):
        return (
            "this WSL runs without systemd",
            "put systemd=true under [boot] in /etc/wsl.conf and restart WSL (wsl --shutdown)",
        )
    if (
        (system / ".dockerenv").exists()
        or (system / "run/.containerenv").exists()
        or "KUBERNETES_SERVICE_HOST" in environment
    ):
        return "this is a container without systemd", ""
    if environment.get("CI"):
        return "this is a CI job on a machine without systemd", ""
    try:
        init = (system / "proc/1/comm").read_text(encoding="utf-8").strip()
    except OSError:
        init = "something else"
    return f"systemd does not run here: the first process is {init}", ""


def _why_no_manager(environment: Mapping[str, str], runtime: Path | None) -> tuple[str, str]:
    uid = os.geteuid()
    own = Path(f"/run/user/{uid}")
    if runtime is not None and runtime != own and _has_manager(own):
        return (
            f"XDG_RUNTIME_DIR is {runtime}, but your systemd user manager is at {own}",
            "unset XDG_RUNTIME_DIR",
        )
    given = environment.get("XDG_RUNTIME_DIR", "")
    if runtime is None or given not in ("", str(runtime)):
        whose = f": XDG_RUNTIME_DIR is somebody else's ({given})" if given else ""
        return (
            f"user {uid} has no login session here, as after su or in cron{whose}",
            "log in as that user, or keep its manager running: loginctl enable-linger",
        )
    return (
        f"no systemd user manager runs for user {uid}: {runtime}/systemd/private is missing",
        "log in again, or start it: loginctl enable-linger",
    )


def _has(file: Path, word: str) -> bool:
    try:
        return word in file.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False
