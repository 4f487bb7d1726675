"""Services as commands handle them: chosen by path or id, installed and removed with a word about it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cidx.api.errors import CidxError, Code
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.repository.repository import Repository
    from cidx.supervisor.installation import Installer
    from cidx.supervisor.service import Installed

_ID = re.compile(r"[0-9a-f]{16}")


def installer_of(session: Session) -> "Installer":
    """What installs here; an error says why where nothing does."""
    from cidx.supervisor import detection
    from cidx.supervisor.installation import Installer

    return Installer(
        supervisor=detection.get(session.users, session.environment),
        users=session.users,
        environment=session.environment,
        settings=session.settings,
    )


def install(session: Session, installer: "Installer", wanted: "Sequence[Repository]") -> None:
    """Install and tell; a repository that said it wants no service gets one and the setting is set right."""
    from cidx.repository import settings

    changed = installer.install(wanted)
    for repository in wanted:
        if not session.settings(repository).daemon.enabled:
            setting = settings.SETTINGS["daemon.enabled"]
            settings.write_value(repository.folder / settings.FILE, setting, value=True)
            session.out.line(f"{setting.path} = true")
        done = "installed" if repository.id in changed else "already installed"
        session.out.line(f"{done}: {shown(str(repository.root))}")
        session.out.line(f"  socket: {installer.define(repository).socket}")
    if changed:
        session.out.line("the next query starts the daemon")


def remove(session: Session, repository: "Repository") -> None:
    """Remove the service of a repository if there is one; without a supervisor there is none."""
    from cidx.supervisor import detection

    if isinstance(detection.find(session.users, session.environment), detection.Absent):
        return
    installer = installer_of(session)
    services = [service for service in installer.supervisor.installed() if service.id == repository.id]
    installer.uninstall(services)
    for service in services:
        session.out.line(f"removed: {shown(service.root)}")


def refresh(session: Session, repository: "Repository") -> None:
    """Let an installed service follow a changed setting."""
    from cidx.supervisor import detection

    if isinstance(detection.find(session.users, session.environment), detection.Absent):
        return
    installer = installer_of(session)
    if any(service.id == repository.id for service in installer.supervisor.installed()):
        install(session, installer, [repository])


def installed_repositories(session: Session, installer: "Installer") -> "list[Repository]":
    from cidx.repository import repository as repositories
    from cidx.supervisor.service import Place, place_of

    found = []
    for service in installer.supervisor.installed():
        if place_of(service, home=str(session.users.home)) is Place.REPOSITORY:
            found.append(repositories.at(Path(service.root), session.users))
        else:
            session.err.line(
                f"cidx: left out: {shown(service.root)} is gone; next: cidx service repair --all"
            )
    return found


def select(
    session: Session,
    installer: "Installer",
    targets: Sequence[str],
    *,
    everything: bool,
    required: bool = True,
) -> "list[Installed]":
    """The services that are meant: by path or id, all, or this repository's."""
    services = installer.supervisor.installed()
    if everything:
        return services
    by_id = {service.id: service for service in services}
    if not targets:
        repository = session.repository()
        if repository.id in by_id or not required:
            return [by_id[repository.id]] if repository.id in by_id else []
        raise _not_installed(str(repository.root), services)
    chosen: dict[str, Installed] = {}
    for target in targets:
        service = _find(session, target, services)
        if service is not None:
            chosen[service.id] = service
        elif required:
            raise _not_installed(target, services)
    return list(chosen.values())


def _find(session: Session, target: str, services: "Sequence[Installed]") -> "Installed | None":
    """A service by its id, its root (gone or not), or a folder in its repository."""
    from cidx.client import address

    place = session.directory / target
    if _ID.fullmatch(target) and not place.exists():
        return next((service for service in services if service.id == target), None)
    roots = {service.root: service for service in services}
    exact = os.path.normpath(place)
    found = roots.get(os.path.realpath(place)) or roots.get(exact)
    if found is None and place.is_dir():
        root = address.find_root(str(place), home=str(session.users.home))
        found = roots.get(root) if root else None
    return found


def _not_installed(what: str, services: "Sequence[Installed]") -> CidxError:
    known = len(services)
    return CidxError(
        Code.NOT_INSTALLED,
        what=f"no service is installed for {shown(what)}",
        why=f"it was never installed, or the repository has moved ({known} installed elsewhere)"
        if known
        else "none was ever installed",
        next_step="cidx service install" + ("; cidx service list shows those that are" if known else ""),
    )


def shown(text: str) -> str:
    """A name in one line that a terminal can take."""
    return "".join(
        letter if letter.isprintable() or "\ud800" <= letter <= "\udfff" else repr(letter)[1:-1]
        for letter in text
    )
