"""The one unasked word of advice: that a service would answer faster. On a terminal only, once a day per repository."""

import os
import time

from cidx.cli.session import Session

_FILE = "service-hint"
_DAY_S = 86_400


def offer_service(session: Session) -> None:
    """Say it where it helps: nobody asked for this process, a supervisor runs, and there is no service yet."""
    if not session.terminal.err_is_terminal or session.standalone or session.source.served_by == "daemon":
        return
    repository = session.repository()
    if not session.settings(repository).daemon.enabled:
        return
    file = repository.folder / _FILE
    try:
        if time.time() - file.stat().st_mtime < _DAY_S:
            return
    except FileNotFoundError:
        pass
    from cidx.client import address
    from cidx.supervisor import detection

    environment, home = session.environment, str(session.users.home)
    path = address.socket_path(str(repository.root), environment=environment, home=home)
    if os.path.lexists(path) or isinstance(detection.find(session.users, environment), detection.Absent):
        return
    try:
        file.touch(mode=0o600)
        os.utime(file)
    except OSError:
        # Where it can't be remembered, it would be said each time.
        return
    session.err.line("cidx: a service would answer in a blink: cidx service install (said once a day)")
