"""`cidx doctor`: check the set-up and the index, and say what to do about what is wrong."""

import enum
import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import click

from cidx.api.errors import CidxError
from cidx.cli.application import Command
from cidx.cli.options import json_option
from cidx.cli.session import Session


class Verdict(enum.StrEnum):
    """`NOTE` is something to know that needs no action."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result, with the next step where there is one."""

    check: str
    verdict: Verdict
    detail: str
    next_step: str = ""


@click.command(cls=Command)
@json_option()
@click.pass_obj
def command(session: Session, as_json: bool) -> int:
    """Check the set-up and the index.

    Reads every vector and every file name, and changes nothing. Exits with 1 when there is a problem.
    """
    from cidx.cli import render

    findings = [finding for check in CHECKS for finding in _guarded(check, session)]
    if as_json:
        fields = ("check", "verdict", "detail", "next_step")
        session.out.line(render.dump([{name: getattr(f, name) for name in fields} for f in findings]))
    else:
        for finding in findings:
            session.out.line(f"{finding.verdict:<8} {finding.check:<14} {finding.detail}")
            if finding.next_step:
                session.out.line(f"{'':<8} {'':<14} next: {finding.next_step}")
    return int(any(finding.verdict is Verdict.PROBLEM for finding in findings))


def _guarded(check: Callable[[Session], Iterator[Finding]], session: Session) -> Iterator[Finding]:
    try:
        yield from check(session)
    except CidxError as error:
        name = check.__name__.removeprefix("_check_")
        yield Finding(name, Verdict.PROBLEM, f"{error.what}: {error.why}", error.next_step)


def _check_python(_: Session) -> Iterator[Finding]:
    from cidx.api.versions import VERSION

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", Verdict.OK, f"cidx {VERSION} on Python {version} in {sys.prefix}")


def _check_command(session: Session) -> Iterator[Finding]:
    found = shutil.which("cidx", path=session.environment.get("PATH", ""))
    if found:
        yield Finding("command", Verdict.OK, f"{found} is on PATH")
    else:
        yield Finding(
            "command", Verdict.NOTE, "cidx is not on PATH", "run install.sh; it says what to add to PATH"
        )


def _check_git(_: Session) -> Iterator[Finding]:
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        yield Finding(
            "git",
            Verdict.NOTE,
            "git is not installed: files are found by walking, with the same rules",
            "install git",
        )
        return
    yield Finding("git", Verdict.OK, done.stdout.strip())


def _check_extras(_: Session) -> Iterator[Finding]:
    lost = {
        "hnswlib": "in very large repositories every vector is compared, which is slower",
        "systemd": "journal records come through stderr",
    }
    if sys.platform != "linux":
        del lost["systemd"]
    for module, loss in lost.items():
        if importlib.util.find_spec(module) is None:
            yield Finding("extras", Verdict.NOTE, f"{module} is not installed: {loss}")
        else:
            yield Finding("extras", Verdict.OK, f"{module} is installed")


def _check_model(_: Session) -> Iterator[Finding]:
    from cidx.text import embedder

    try:
        model = embedder.packaged()
    except (OSError, ValueError) as error:
        yield Finding(
            "model", Verdict.PROBLEM, f"the packaged model can't be read: {error}", "run install.sh again"
        )
        return
    yield Finding("model", Verdict.OK, f"{model.version}, {model.dimensions} dimensions")


def _check_repository(session: Session) -> Iterator[Finding]:
    repository = session.repository()
    yield Finding("repository", Verdict.OK, f"{repository.root} ({'git' if repository.in_git else 'no git'})")
    if repository.why_elsewhere:
        yield Finding(
            "repository", Verdict.NOTE, f"kept in {repository.folder}, because {repository.why_elsewhere}"
        )


def _check_settings(session: Session) -> Iterator[Finding]:
    from cidx.repository import settings

    repository = session.repository()
    session.settings(repository)
    unknown = [
        f"{key} in {file}"
        for file in (repository.folder / settings.FILE, session.users.config / settings.FILE)
        for key in settings.unknown_keys(file)
    ]
    if unknown:
        yield Finding(
            "settings", Verdict.NOTE, f"no settings of this version: {', '.join(unknown)}", "cidx config show"
        )
    else:
        yield Finding("settings", Verdict.OK, "every value is valid")


def _check_index(session: Session) -> Iterator[Finding]:
    from cidx.repository import lock
    from cidx.store import layout, seal

    repository = session.repository()
    with session.source.published(repository) as snapshot:
        files, chunks = snapshot.catalogue.counts()
        known = {chunk.id for chunk in snapshot.catalogue.all_chunks()}
        missing = chunks - len(known & snapshot.fulltext.chunk_ids())
    wrong = seal.damage(layout.current(repository.index_folder))
    if missing or len(known) != chunks:
        wrong = wrong or f"{missing} chunks are not in full text"
    writer = lock.holder(repository.folder)
    if wrong and writer:
        yield Finding(
            "index", Verdict.NOTE, f"not checked: {writer} is writing it", "ask again when it is done"
        )
    elif wrong:
        yield Finding("index", Verdict.PROBLEM, wrong, "cidx index")
    else:
        yield Finding(
            "index", Verdict.OK, f"generation {snapshot.generation}: {files} files, {chunks} chunks, whole"
        )


def _check_graph(session: Session) -> Iterator[Finding]:
    from cidx.store import graph, layout

    with session.source.published(session.repository()) as snapshot:
        rows, held = len(snapshot.vectors), snapshot.graph
        wrong = graph.damage(snapshot.base, snapshot.vectors)
    if wrong:
        detail = f"the graph of the vectors can't be used, so queries compare all of them: {wrong}"
        yield Finding("graph", Verdict.PROBLEM, detail, "cidx index")
    elif held is not None:
        yield Finding("graph", Verdict.OK, f"links {held.rows} of {rows} vectors")
    elif rows >= layout.WORTH_A_GRAPH:
        possible = graph.is_possible()
        yield Finding(
            "graph",
            Verdict.NOTE,
            f"there is none of {rows} vectors, so queries compare all of them",
            "cidx index" if possible else "install.sh installs hnswlib where a compiler is; then: cidx index",
        )


def _check_service(session: Session) -> Iterator[Finding]:
    from cidx.cli.commands.status import service_of
    from cidx.supervisor.detection import INSTEAD, Absent
    from cidx.supervisor.diagnosis import faults

    repository = session.repository()
    supervisor, state = service_of(session, repository)
    if isinstance(supervisor, Absent):
        remedy = f"{supervisor.remedy}, or: {INSTEAD}" if supervisor.remedy else INSTEAD
        yield Finding("service", Verdict.NOTE, f"no supervisor: {supervisor.why}", remedy)
        return
    if state is None:
        wanted = session.settings(repository).daemon.enabled
        detail = f"{supervisor.name} runs, and no service is installed for {repository.root}"
        yield Finding("service", Verdict.NOTE, detail, "cidx service install" if wanted else "")
    else:
        found = faults(state)
        for fault in found:
            yield Finding("service", Verdict.PROBLEM, f"{fault.what}: {fault.why}", fault.next_step)
        if not found:
            yield Finding("service", Verdict.OK, f"installed with {supervisor.name}, {state.word}")
    others = [service for service in supervisor.installed() if service.id != repository.id]
    orphans = [
        one.installed
        for one in supervisor.states(others)
        if any(fault.code == "orphan" for fault in faults(one))
    ]
    if orphans:
        yield Finding(
            "service",
            Verdict.NOTE,
            f"installed for repositories that are gone: {', '.join(one.root or one.id for one in orphans)}",
            "cidx service repair --all",
        )


def _check_environment(session: Session) -> Iterator[Finding]:
    from cidx.cli.commands.status import service_of
    from cidx.supervisor import environment_file
    from cidx.supervisor.detection import Absent

    file = environment_file.path(session.users)
    problem = environment_file.problem(file)
    if problem:
        yield Finding(
            "environment", Verdict.PROBLEM, f"{file}: {problem}", f"chmod 600 {shlex.quote(str(file))}"
        )
    supervisor, state = service_of(session, session.repository())
    if isinstance(supervisor, Absent) or state is None:
        return
    again = f"cidx service {'install' if supervisor.name == 'launchd' else 'restart'}"
    theirs = {**supervisor.environment(), **environment_file.load(file)}
    if "PATH" in theirs and _finds_git(session.environment) and not _finds_git(theirs):
        yield Finding(
            "environment",
            Verdict.PROBLEM,
            f"the daemon finds no git, and this shell does: its PATH is {theirs['PATH']}",
            f"write PATH={shlex.quote(session.environment.get('PATH', ''))} into {file} (mode 0600), then: {again}",
        )
    differences = environment_file.differences(session.environment, theirs)
    if not differences:
        yield Finding("environment", Verdict.OK, "the daemon sees what this shell sees, as far as it matters")
        return
    yield Finding(
        "environment",
        Verdict.NOTE,
        "a service does not see this shell's variables: "
        + "; ".join(f"{where}: {', '.join(names)}" for where, names in differences.items()),
        f"write what the daemon needs as NAME=value lines into {file} (mode 0600), then: {again}",
    )


def _finds_git(environment: Mapping[str, str]) -> bool:
    return shutil.which("git", path=environment.get("PATH", "")) is not None


def _check_daemon(session: Session) -> Iterator[Finding]:
    import os

    from cidx.cli.commands.status import ask_daemon, service_of, socket_path
    from cidx.supervisor.service import Daemon, Socket

    repository = session.repository()
    path = socket_path(session, repository)
    found = ask_daemon(session, repository, "get_status")
    state = service_of(session, repository)[1]
    if found is not None:
        yield Finding(
            "daemon", Verdict.OK, f"pid {found['pid']} with cidx {found['version']} answers on {path}"
        )
    elif state is not None and state.socket is Socket.LISTENING and state.daemon is not Daemon.RUNNING:
        yield Finding("daemon", Verdict.OK, f"{state.daemon}: the next query is served by one on {path}")
    elif os.path.lexists(path):
        service = "cidx service restart" if state is not None else "end that daemon, or remove the socket"
        yield Finding(
            "daemon",
            Verdict.PROBLEM,
            f"what is at {path} does not answer this cidx: it is of another version, hung, or no daemon any more",
            f"{service}; commands answer without it meanwhile",
        )
    else:
        yield Finding("daemon", Verdict.OK, "none: every command answers in its own process")


CHECKS: tuple[Callable[[Session], Iterator[Finding]], ...] = (
    _check_python,
    _check_command,
    _check_git,
    _check_extras,
    _check_model,
    _check_repository,
    _check_settings,
    _check_index,
    _check_graph,
    _check_service,
    _check_environment,
    _check_daemon,
)
