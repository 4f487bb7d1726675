"""`cidx index` where a daemon listens: the job is the daemon's, and this process only watches it.

Ends with what came of the job, or with None where the index has to be made here after all. Leaving early ends the view,
never the job.
"""

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cidx.api.errors import CidxError, Code
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.client.call import Dialogue, Unanswered
    from cidx.index.progress import Progress, Summary
    from cidx.repository.repository import Repository

# A poll is answered when there is news, and well before the connection's patience ends.
_POLL_S = 2.0
_UNFINISHED = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Made:
    """What a job came to, and why it made no graph where it tried."""

    summary: "Summary"
    no_graph: str


def watch(session: Session, repository: "Repository", *, clear: bool) -> Made | None:
    """Have the daemon bring the index up to date, and show how far it is."""
    path = _socket(session, repository)
    if session.standalone or session.source.served_by == "daemon" or path is None:
        return None
    from cidx.client import call

    try:
        with call.Dialogue(path, str(repository.root)) as daemon:
            job = _follow(session, daemon, _begin(session, daemon, repository, clear=clear))
        return _made(session, job)
    except call.Unanswered as unanswered:
        _tell(session, unanswered)
    except call.Failed as failed:
        raise _failed(str(failed)) from None
    return None


def left() -> CidxError:
    """What to say where only the view was interrupted."""
    return CidxError(
        Code.INTERRUPTED,
        what="the view was interrupted",
        why="the index goes on in the daemon",
        next_step="to stop it: cidx index --cancel",
    )


def cancel(session: Session, repository: "Repository") -> str:
    """End the job of a daemon that runs; what came of that, in words."""
    from cidx.cli.commands.status import ask_daemon
    from cidx.client import call

    # Where only a supervisor listens, nobody is woken to be told to do nothing.
    found = ask_daemon(session, repository, "get_status") or {"jobs": []}
    # The one that runs ends last: else the next one would start meanwhile.
    unfinished = [job for job in reversed(found["jobs"]) if job["state"] in _UNFINISHED]
    path = _socket(session, repository)
    if not unfinished or path is None:
        return _nothing(repository)
    try:
        with call.Dialogue(path, str(repository.root)) as daemon:
            for job in unfinished:
                job = _json(daemon.call("job_cancel", job["id"]))
            while job["state"] in _UNFINISHED:
                job = _poll(daemon, job)
    except call.Unanswered as unanswered:
        return f"the daemon no longer answers, and its job ends with it ({unanswered.why})"
    except call.Failed as failed:
        raise _failed(str(failed)) from None
    if job["state"] == "done":
        return "the index job had just ended"
    return "the index job was cancelled; the index is as it was published last"


def _socket(session: Session, repository: "Repository") -> str | None:
    """The address, where anything is there."""
    from cidx.client import address

    path = address.socket_path(
        str(repository.root), environment=session.environment, home=str(session.users.home)
    )
    return path if os.path.lexists(path) else None


def _begin(session: Session, daemon: "Dialogue", repository: "Repository", *, clear: bool) -> dict[str, Any]:
    settings = tuple(
        (os.fsencode(name), os.fsencode(value))
        for name, value in session.environment.items()
        if name.startswith("CIDX_")
    )
    return _json(daemon.call("index", os.fsencode(repository.root), None, clear, settings))


def _follow(session: Session, daemon: "Dialogue", job: dict[str, Any]) -> dict[str, Any]:
    from cidx.cli import progress

    display = progress.display_for(session)
    started = time.monotonic()
    try:
        while job["state"] in _UNFINISHED:
            if time.monotonic() - started > progress.QUIET_S:
                display.show(_progress(job))
            job = _poll(daemon, job)
    finally:
        display.close()
    return job


def _poll(daemon: "Dialogue", job: dict[str, Any]) -> dict[str, Any]:
    return _json(daemon.call("job_poll", job["id"], job["seen"], _POLL_S))


def _json(said: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(said))
    if "error" in found and "state" not in found:
        raise CidxError.from_json(found["error"])
    return found


def _progress(job: dict[str, Any]) -> "Progress":
    from cidx.index.progress import Progress

    return Progress(job["phase"], job["files_done"], job["files_total"], job["chunks"])


def _made(session: Session, job: dict[str, Any]) -> Made | None:
    from cidx.index.progress import Summary

    match job["state"]:
        case "done":
            return Made(Summary(**job["summary"]), job["no_graph"])
        case "failed":
            raise CidxError.from_json(job["error"])
        case "cancelled":
            raise CidxError(
                Code.INTERRUPTED,
                what="the index job was cancelled",
                why="somebody asked for that; the index is as it was published last",
                next_step="cidx index",
            )
    session.err.line("cidx: the daemon has left, and the job with it; going on in this process")
    return None


def _tell(session: Session, unanswered: "Unanswered") -> None:
    if unanswered.why:
        session.err.line(f"cidx: {unanswered.why}; indexing in this process. next: {unanswered.next_step}")


def _failed(why: str) -> CidxError:
    return CidxError(
        Code.BUG,
        what="the daemon failed at this command",
        why=why,
        next_step="cidx doctor, or without the daemon: cidx --standalone index",
    )


def _nothing(repository: "Repository") -> str:
    from cidx.repository import lock

    who = lock.holder(repository.folder)
    aside = f"; {who} writes this index, and Ctrl-C ends it there" if who else ""
    return f"there is no index job to cancel{aside}"
