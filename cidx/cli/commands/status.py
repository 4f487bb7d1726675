"""`cidx status`: the index and how fresh it is."""

import json
from typing import TYPE_CHECKING, Any

import click

from cidx.api.errors import CidxError
from cidx.cli.application import Command
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.api.status import IndexStatus, ServiceStatus, Status
    from cidx.repository.repository import Repository
    from cidx.supervisor.detection import Absent
    from cidx.supervisor.service import State, Supervisor


@click.command(cls=Command)
@json_option()
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show the index and how fresh it is. Changes nothing."""
    from cidx.cli import render

    status = gather(session)
    if as_json:
        session.out.line(render.dump(status.to_json()))
        return
    for name, value in _rows(status):
        session.out.line(f"{name:<12}{value}")


def gather(session: Session) -> "Status":
    """Look at everything there is. Wakes no daemon."""
    from cidx.api.status import Status

    repository = session.repository()
    index, problem = None, ""
    try:
        index = _index(session, repository)
    except CidxError as error:
        problem = f"{error.why}; next: {error.next_step}"
    supervisor, state = service_of(session, repository)
    daemon = _daemon_answer(session, repository, state, "get_status")
    return Status(
        repository=str(repository.root),
        folder=str(repository.folder),
        index=index,
        service=_service(socket_path(session, repository), supervisor, state, answering=daemon is not None),
        daemon=daemon,
        problem=problem,
    )


def socket_path(session: Session, repository: "Repository") -> str:
    from cidx.client import address

    return address.socket_path(
        str(repository.root), environment=session.environment, home=str(session.users.home)
    )


def ask_daemon(session: Session, repository: "Repository", method: str) -> dict[str, Any] | None:
    """What the daemon of this repository says of itself; None where none answers. Wakes none."""
    return _daemon_answer(session, repository, service_of(session, repository)[1], method)


def daemon_of(state: "State") -> dict[str, Any] | None:
    """What the daemon of a service says of itself, if it runs."""
    from cidx.supervisor.service import Daemon

    if state.daemon is not Daemon.RUNNING:
        return None
    return _ask(state.socket_path, state.installed.root, "get_status")


def service_of(session: Session, repository: "Repository") -> "tuple[Supervisor | Absent, State | None]":
    """The supervisor that runs here, and the state of this repository's service if it is installed."""
    from cidx.supervisor import detection

    try:
        supervisor = detection.find(session.users, session.environment)
        if isinstance(supervisor, detection.Absent):
            return supervisor, None
        installed = [service for service in supervisor.installed() if service.id == repository.id]
        return supervisor, next(iter(supervisor.states(installed)), None)
    except CidxError as error:
        # One that is there and does not answer must not keep the rest of the picture back.
        return detection.Absent(f"{error.what}: {error.why}", error.next_step), None


def _daemon_answer(
    session: Session, repository: "Repository", state: "State | None", method: str
) -> dict[str, Any] | None:
    """Where a supervisor listens, to connect is to start a daemon: it is asked only if it runs."""
    from cidx.supervisor.service import Daemon, Socket

    if state is not None and state.socket is Socket.LISTENING and state.daemon is not Daemon.RUNNING:
        return None
    return _ask(socket_path(session, repository), str(repository.root), method)


def _ask(path: str, root: str, method: str) -> dict[str, Any] | None:
    from cidx.client import call

    found = call.value(path, root, method)
    return json.loads(found) if isinstance(found, str) else None


def _index(session: Session, repository: "Repository") -> "IndexStatus":
    from cidx.api.status import IndexStatus
    from cidx.index import freshness
    from cidx.index.files import Listing
    from cidx.repository import lock
    from cidx.repository.repository import index_bytes

    settings = session.settings(repository).index
    with Listing(repository) as listing, session.source.published(repository) as snapshot:
        catalogue = snapshot.catalogue
        found = freshness.look(snapshot, listing, settings)
        changed = freshness.count_changed(repository, snapshot, found, settings)
        files, chunks = catalogue.counts()
        return IndexStatus(
            generation=snapshot.generation,
            files=files,
            chunks=chunks,
            bytes=index_bytes(repository.index_folder),
            fresh=changed == 0,
            changed_files=changed,
            model=snapshot.model,
            skipped=catalogue.skipped(),
            writer=lock.holder(repository.folder),
        )


def _service(
    path: str, supervisor: "Supervisor | Absent", state: "State | None", *, answering: bool
) -> "ServiceStatus":
    from cidx.api.status import ServiceStatus
    from cidx.supervisor.detection import Absent
    from cidx.supervisor.diagnosis import faults

    name = "none" if isinstance(supervisor, Absent) else supervisor.name
    if state is None:
        detail = "a foreground daemon answers" if answering else "commands answer in their own process"
        if isinstance(supervisor, Absent):
            detail += f"; {supervisor.why}"
        word = "running" if answering else "none"
        return ServiceStatus(supervisor=name, installed=False, socket=path, state=word, detail=detail)
    wrong = faults(state)
    detail = f"{wrong[0].what}: {wrong[0].why}; next: {wrong[0].next_step}" if wrong else _DETAILS[state.word]
    return ServiceStatus(
        supervisor=name, installed=True, socket=path, state=state.word, detail=detail, wrong=bool(wrong)
    )


_DETAILS = {
    "running": "the daemon runs and leaves when idle",
    "starting": "the daemon is starting",
    "listening": "the next query starts the daemon",
}


def _rows(status: "Status") -> list[tuple[str, str]]:
    rows = [("repository", status.repository), ("folder", status.folder)]
    index = status.index
    if index is None:
        return [*rows, ("index", f"none: {status.problem}"), *_daemon_rows(status)]
    rows += [
        ("index", f"generation {index.generation}, {_how_fresh(index, status.daemon)}"),
        ("content", f"{index.files} files, {index.chunks} chunks, {index.bytes / 1e6:.1f} MB on disk"),
        ("model", index.model),
    ]
    if index.skipped:
        rows.append(("skipped", ", ".join(f"{count} {why}" for why, count in index.skipped.items())))
    if index.writer:
        rows.append(("writer", index.writer))
    return rows + _daemon_rows(status)


def _how_fresh(index: "IndexStatus", daemon: dict[str, Any] | None) -> str:
    from cidx.cli import render

    if index.fresh:
        return "fresh"
    since = f"{render.changed(index.changed_files)} since"
    is_at_it = index.writer or any(job["state"] == "running" for job in (daemon or {}).get("jobs", ()))
    return f"{since}, being brought in" if is_at_it else f"{since}; next: cidx index"


def _daemon_rows(status: "Status") -> list[tuple[str, str]]:
    daemon, service = status.daemon, status.service
    by = service.supervisor if service.installed else "not installed"
    rows = [("service", f"{by}, {service.state}: {service.detail}"), ("socket", service.socket)]
    if daemon is None:
        return rows
    from cidx.cli.service_picture import job_rows

    index = "open" if daemon["cache"]["open"] else "given back"
    latency = daemon["latency_ms"].get("run", {"p50": 0, "p99": 0})
    own_mb, limit_mb = (daemon["memory"][name] / 2**20 for name in ("private_bytes", "limit_bytes"))
    return [
        *rows,
        ("daemon", f"pid {daemon['pid']}, up {daemon['uptime_s']:.0f} s"),
        *job_rows(daemon),
        ("served", f"{daemon['queries']} queries, p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms"),
        ("memory", f"{own_mb:.0f} of {limit_mb:.0f} MB, index {index}"),
        *(("trouble", reason) for reason in daemon["reasons"]),
    ]
