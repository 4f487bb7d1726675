"""The unasked words about the service: that one which is installed does not listen, or that one would answer faster.

The first is a fault and said each time; the second on a terminal only, once a day per repository. Where the client has
said something already, or this process was asked for, neither is.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.repository.repository import Repository

_FILE = "service-hint"
_DAY_S = 86_400


def about_service(session: Session) -> None:
    """Said after an answer of this process's own."""
    if not session.advice or session.source.served_by == "daemon":
        return
    from cidx.client import address
    from cidx.repository.repository import LINK

    repository = session.repository()
    environment, home = session.environment, str(session.users.home)
    path = address.socket_path(str(repository.root), environment=environment, home=home)
    if os.path.lexists(path):
        return
    if _target(repository.folder / LINK) == path:
        _tell_deaf(session)
    elif session.terminal.err_is_terminal:
        _offer(session, repository)


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


def _tell_deaf(session: Session) -> None:
    """Without a supervisor, as in cron after the last logout, its service can't listen."""
    if _has_supervisor(session):
        session.err.line(
            "cidx: the service of this repository does not listen; answered without it. next: cidx service repair"
        )


def _offer(session: Session, repository: "Repository") -> None:
    file = repository.folder / _FILE
    try:
        if time.time() - file.stat().st_mtime < _DAY_S:
            return
    except FileNotFoundError:
        pass
    if not session.settings(repository).daemon.enabled or not _has_supervisor(session):
        return
    try:
        file.touch(mode=0o600)
    except OSError:
        # Where it can't be remembered, it would be said each time.
        return
    session.err.line("cidx: a service would answer in a blink: cidx service install (said once a day)")


def _has_supervisor(session: Session) -> bool:
    from cidx.supervisor import detection

    return not isinstance(detection.find(session.users, session.environment), detection.Absent)
