"""From a service's state to what is wrong with it, why, and what mends it.

Pure, so that `status`, `doctor` and `repair` can't disagree. The order is that of mending: what makes the rest
pointless comes first.
"""

import enum
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from cidx.supervisor.service import UNIT_VERSION, Daemon, Place, Socket, State

REPAIR = "cidx service repair"


# A daemon is ready in a fraction of a second; clients wait 5 s for it.
SLOW_START_S = 4.0


class Mending(enum.StrEnum):
    """What `repair` does about a fault."""

    REMOVE = "remove the service"
    REWRITE = "write its files anew"
    RELOAD = "let the supervisor read them"
    ENABLE = "enable it"
    RESTART = "start its socket anew"
    NONE = "nothing: this is for you"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`next_step` is for a person; `mending` is what `repair` does."""

    code: str
    what: str
    why: str
    mending: Mending
    next_step: str = REPAIR


def faults(state: State) -> tuple[Fault, ...]:
    """What is wrong, the most fundamental first."""
    return tuple(_faults(state))


def _faults(state: State) -> Iterator[Fault]:
    if state.place is not Place.REPOSITORY:
        yield _orphan(state)
        return
    definition = _of_definition(state)
    if definition is not None:
        yield definition
        if definition.mending is Mending.REWRITE:
            return
    if state.needs_reload:
        yield Fault(
            code="needs-reload",
            what="the unit files were edited",
            why="the supervisor still goes by what they said before",
            mending=Mending.RELOAD,
        )
    if not state.enabled:
        yield Fault(
            code="not-enabled",
            what="the socket won't be there after the next login",
            why="the service is not enabled",
            mending=Mending.ENABLE,
        )
    yield from _of_socket(state)


def _orphan(state: State) -> Fault:
    missing = state.place is Place.MISSING
    return Fault(
        code="orphan",
        what=f"the service has no repository: {state.installed.root or state.installed.id}",
        why="the folder was moved or deleted" if missing else "the folder is no repository any more",
        mending=Mending.REMOVE,
        next_step=f"cidx service uninstall {shlex.quote(state.installed.root or state.installed.id)}",
    )


def _of_definition(state: State) -> Fault | None:
    installed = state.installed
    if installed.version > UNIT_VERSION:
        return Fault(
            code="newer-units",
            what=f"the unit files are of version {installed.version}, this cidx writes {UNIT_VERSION}",
            why="a newer cidx installed the service",
            mending=Mending.NONE,
            next_step="use that cidx, or let this one take over: cidx service install",
        )
    if not installed.complete:
        return Fault(
            code="incomplete",
            what="a part of the service's files is missing",
            why="somebody has removed or emptied it",
            mending=Mending.REWRITE,
        )
    if installed.version < UNIT_VERSION:
        return Fault(
            code="stale-units",
            what=f"the unit files are of version {installed.version}, this cidx writes {UNIT_VERSION}",
            why="they were written by an older cidx",
            mending=Mending.REWRITE,
        )
    if not state.python_exists:
        return Fault(
            code="interpreter-gone",
            what=f"the daemon can't start: {installed.python} is gone",
            why="the environment that cidx was installed in was moved, removed or made anew",
            mending=Mending.REWRITE,
        )
    if not state.python_is_ours:
        return Fault(
            code="other-environment",
            what=f"the service runs another cidx than this one: {installed.python}",
            why="it was installed from there; two of different versions can't share a daemon",
            mending=Mending.REWRITE,
            next_step=f"use that one, or let this one take over: {REPAIR}",
        )
    if not state.loaded:
        return Fault(
            code="not-loaded",
            what="the supervisor does not know the service",
            why="its files were written or moved without telling it, or can't be read",
            mending=Mending.REWRITE,
        )
    return None


def _of_socket(state: State) -> Iterator[Fault]:
    if state.starting_s > SLOW_START_S:
        yield Fault(
            code="never-ready",
            what="the daemon does not get ready",
            why=f"it has been starting for {state.starting_s:.0f} s; clients wait no longer than 5 s",
            mending=Mending.RESTART,
            next_step=f"cidx service logs -n 20, then {REPAIR}",
        )
    elif state.socket is Socket.FAILED or state.daemon is Daemon.FAILED:
        yield _failed(state)
    elif state.socket is Socket.STOPPED:
        yield Fault(
            code="stopped",
            what="nobody listens on the socket",
            why="the socket was stopped; commands answer in their own process",
            mending=Mending.RESTART,
        )
    elif not state.socket_exists:
        yield Fault(
            code="socket-missing",
            what=f"the socket {state.socket_path} is gone",
            why="somebody has removed the file; the supervisor listens where nobody can come",
            mending=Mending.RESTART,
        )


# `Result` of systemd's socket and service, in words.
_RESULTS = {
    "service-start-limit-hit": "the daemon failed at start again and again, so the supervisor gave up",
    "start-limit-hit": "the daemon was started too often in a short time, so the supervisor gave up",
    "trigger-limit-hit": "the socket was asked too often in a short time, so the supervisor gave up",
    "resources": "the supervisor could not make the socket",
    "timeout": "the daemon did not get ready, or did not end, in time",
    "watchdog": "the daemon hung",
    "oom-kill": "the daemon reached its memory limit",
    "core-dump": "the daemon crashed",
    "signal": "the daemon was killed",
    "exit-code": "the daemon ended with an error",
    "protocol": "the daemon ended before it was ready",
}


def _failed(state: State) -> Fault:
    by_socket = state.socket is Socket.FAILED
    result = state.socket_result if by_socket else state.daemon_result
    why = _RESULTS.get(result, result or "the supervisor does not say why")
    if state.last_exit and by_socket:
        why = f"{why}; its last end: {state.last_exit}"
    return Fault(
        code="failed",
        what="the socket has failed: nobody listens" if by_socket else "the daemon has failed",
        why=why,
        mending=Mending.REWRITE if result == "oom-kill" else Mending.RESTART,
        next_step=f"cidx service logs -n 20, then {REPAIR}",
    )
