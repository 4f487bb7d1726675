"""A service as people and programs read it: rows and JSON of `cidx service status`."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cidx.supervisor.diagnosis import Fault
from cidx.supervisor.service import Daemon, State


def picture(
    supervisor: str, state: State, faults: Sequence[Fault], daemon: dict[str, Any] | None
) -> dict[str, Any]:
    """Everything at once; `daemon` is what a running daemon says of itself."""
    installed = state.installed
    return {
        "supervisor": supervisor,
        "installed": True,
        "id": installed.id,
        "repository": installed.root,
        "state": state.word,
        "unit_version": installed.version,
        "python": installed.python,
        "files": [str(file) for file in installed.files],
        "enabled": state.enabled,
        "socket": {
            "path": state.socket_path,
            "state": str(state.socket),
            "exists": state.socket_exists,
            "result": state.socket_result,
        },
        "process": {
            "state": str(state.daemon),
            "pid": state.pid or None,
            "memory_bytes": _memory_bytes(state, daemon) or None,
            "restarts": state.restarts,
            "result": state.daemon_result,
            "last_exit": state.last_exit,
            "says": state.says,
        },
        "daemon": daemon,
        "faults": [
            {key: value for key, value in asdict(fault).items() if key != "mending"} for fault in faults
        ],
    }


def rows(supervisor: str, state: State, daemon: dict[str, Any] | None) -> list[tuple[str, str]]:
    installed = state.installed
    found = [
        ("repository", installed.root),
        ("service", f"{installed.id} by {supervisor}, {state.word}"),
        ("socket", f"{state.socket_path}, {state.socket}"),
        ("daemon", _daemon(state, daemon)),
    ]
    if state.says:
        found.append(("says", state.says))
    if daemon is not None:
        found.append(("served", f"{daemon['queries']} queries, {sum(daemon['errors'].values())} errors"))
        found += job_rows(daemon)
    if state.last_exit:
        found.append(("last end", state.last_exit))
    if state.restarts:
        found.append(("restarts", f"{state.restarts} after failures"))
    found.append(("files", ", ".join(map(str, installed.files))))
    return found


def job_rows(daemon: dict[str, Any]) -> list[tuple[str, str]]:
    """The index job that runs, or how the last one failed."""
    return [("job", _job(job)) for job in daemon["jobs"]]


def _job(job: dict[str, Any]) -> str:
    since = time.strftime("%H:%M:%S", time.localtime(job["since"]))
    if job["error"] is not None:
        return f"{job['kind']} since {since} failed: {job['error']['what']}: {job['error']['why']}"
    return f"{job['kind']} since {since}, {job['phase']}: {job['files_done']} of {job['files_total']} files"


def _daemon(state: State, daemon: dict[str, Any] | None) -> str:
    if state.daemon is Daemon.IDLE:
        return "none is needed now; the next query starts one"
    parts = [str(state.daemon)]
    if state.pid:
        parts.append(f"pid {state.pid}")
    if memory_bytes := _memory_bytes(state, daemon):
        parts.append(f"{memory_bytes / 1e6:.0f} MB")
    return ", ".join(parts)


def _memory_bytes(state: State, daemon: dict[str, Any] | None) -> int:
    """As the supervisor counts, which includes children and buffers; where it does not count, as the daemon does."""
    if state.memory_bytes or daemon is None:
        return state.memory_bytes
    return int(daemon["memory"]["rss_bytes"])
