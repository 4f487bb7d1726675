"""`cidx service`: the supervisor's side of a repository's daemon. Nothing here wakes a daemon, but `install --now`."""

import json
import os
import shlex
import subprocess
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from cidx.api.errors import CidxError, Code
from cidx.cli import services
from cidx.cli.application import Command, Group
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.repository.repository import Repository
    from cidx.supervisor.diagnosis import Fault
    from cidx.supervisor.installation import Installer
    from cidx.supervisor.service import State

_LOG_LINES = 100


@click.group(cls=Group, name="service")
@click.pass_context
def command(context: click.Context) -> None:
    """Let systemd or launchd own the daemon's socket: it starts with the first query and leaves when idle."""
    if context.invoked_subcommand is None:
        context.obj.out.line(context.get_help())


def _targets(help_all: str) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        function = click.option("--all", "everything", is_flag=True, help=help_all)(function)
        return click.argument("targets", metavar="[PATH]...", nargs=-1)(function)

    return decorate


_dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


@command.command("install", cls=Command)
@_targets("Bring every service of yours up to date.")
@_dry_run
@click.option("--now", is_flag=True, help="Start the daemon too, and let it open the index.")
@click.pass_obj
def install(session: Session, targets: tuple[str, ...], everything: bool, dry_run: bool, now: bool) -> None:
    """Install the service of this repository, or of those given. Installing again brings it up to date."""
    installer = services.installer_of(session)
    wanted = {r.id: r for target in targets for r in [session.source.repository(session.directory / target)]}
    if everything:
        for repository in services.installed_repositories(session, installer):
            wanted.setdefault(repository.id, repository)
    elif not targets:
        repository = session.repository()
        wanted = {repository.id: repository}
    if dry_run:
        for repository in wanted.values():
            for file, text in installer.supervisor.files(installer.define(repository)).items():
                session.out.line(f"would write {file}:")
                session.out.line(text)
        return
    if not wanted:
        session.out.line("no service is installed")
        return
    services.install(session, installer, list(wanted.values()))
    for repository in wanted.values() if now else ():
        _warm_up(session, installer, repository)


def _warm_up(session: Session, installer: "Installer", repository: "Repository") -> None:
    from cidx.supervisor import installation

    said = installation.warm_up(installer.define(repository))
    if said is None:
        raise CidxError(
            Code.UNREACHABLE,
            what=f"the daemon of {services.shown(str(repository.root))} does not answer",
            why="it did not start, or ended before it could answer",
            next_step="cidx service status",
        )
    error = json.loads(said).get("error")
    if error:
        session.out.line(f"the daemon runs; its index does not answer yet: {error.get('what', '').strip()}")
    else:
        session.out.line(f"the daemon of {services.shown(str(repository.root))} runs and is warm")


@command.command("uninstall", cls=Command)
@_targets("Remove every service of yours.")
@_dry_run
@click.pass_obj
def uninstall(session: Session, targets: tuple[str, ...], everything: bool, dry_run: bool) -> None:
    """Remove the service of this repository, or of those given by path or id. Leaves nothing of it behind."""
    installer = services.installer_of(session)
    chosen = services.select(session, installer, targets, everything=everything, required=False)
    if dry_run:
        for service in chosen:
            for file in service.files:
                session.out.line(f"would remove {file}")
        return
    installer.uninstall(chosen)
    for service in chosen:
        session.out.line(f"removed: {services.shown(service.root or service.id)}")
    if not chosen:
        if not everything and not targets:
            installer.supervisor.release(session.repository().id)
        session.out.line("no service is installed" if everything else "no service is installed here")


@command.command("restart", cls=Command)
@_targets("Restart every service of yours.")
@click.pass_obj
def restart(session: Session, targets: tuple[str, ...], everything: bool) -> None:
    """Listen anew, and let a daemon that runs make room for another. Forgets failures."""
    installer = services.installer_of(session)
    chosen = services.select(session, installer, targets, everything=everything)
    if not chosen:
        session.out.line("no service is installed")
        return
    installer.restart(chosen)
    for service in chosen:
        session.out.line(f"restarted: {services.shown(service.root or service.id)}")


@command.command("repair", cls=Command)
@_targets("Look at every service of yours.")
@_dry_run
@click.pass_obj
def repair(session: Session, targets: tuple[str, ...], everything: bool, dry_run: bool) -> int:
    """Find what is wrong and mend it: old or edited units, a moved Python, a crash loop, a lost socket, orphans.

    Exits with 4 when something is left.
    """
    from cidx.supervisor.diagnosis import faults

    installer = services.installer_of(session)
    chosen = services.select(session, installer, targets, everything=everything)
    left = 0
    if dry_run:
        for state in installer.supervisor.states(chosen):
            for fault in faults(state):
                _tell(session, state, fault, f"would {fault.mending}")
        return 0
    found = False
    for state, fault, mended in installer.repair_all(chosen):
        found = True
        left += not mended
        _tell(session, state, fault, f"mended: {fault.mending}" if mended else "not mended")
        if not mended:
            session.out.line(f"  next: {fault.next_step}")
    if not found:
        session.out.line("nothing to repair")
    return Code.SUPERVISOR_FAILED.exit_code if left else 0


def _tell(session: Session, state: "State", fault: "Fault", done: str) -> None:
    session.out.line(
        f"{services.shown(state.installed.root or state.installed.id)}: {services.shown(fault.what)}"
    )
    session.out.line(f"  why:  {fault.why}")
    session.out.line(f"  {done}")


@command.command("list", cls=Command)
@json_option()
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """Every service of yours, orphans marked."""
    from cidx.cli import render
    from cidx.supervisor.diagnosis import faults

    supervisor = services.installer_of(session).supervisor
    rows = [(state, faults(state)) for state in supervisor.states(supervisor.installed())]
    if as_json:
        session.out.line(
            render.dump(
                [
                    {
                        "id": state.installed.id,
                        "repository": state.installed.root,
                        "supervisor": supervisor.name,
                        "state": state.word,
                        "orphan": any(fault.code == "orphan" for fault in found),
                        "faults": [fault.code for fault in found],
                        "unit_version": state.installed.version,
                        "python": state.installed.python,
                        "socket": state.socket_path,
                    }
                    for state, found in rows
                ]
            )
        )
        return
    for state, found in rows:
        wrong = f"  ({found[0].code}: {services.shown(found[0].why)})" if found else ""
        session.out.line(
            f"{state.installed.id}  {state.word:<9}  {services.shown(state.installed.root)}{wrong}"
        )
    if not rows:
        session.err.line("cidx: no service is installed; next: cidx service install")


@command.command("status", cls=Command)
@click.argument("target", metavar="[PATH]", required=False)
@json_option()
@click.pass_obj
def status(session: Session, target: str | None, as_json: bool) -> int:
    """What the supervisor holds for this repository, and what is wrong with it. Wakes no daemon.

    Exits with 1 when something is wrong, with 4 when no service is installed.
    """
    from cidx.cli.commands.status import daemon_of
    from cidx.cli.service_picture import picture, rows
    from cidx.supervisor.diagnosis import faults

    installer = services.installer_of(session)
    (service,) = services.select(session, installer, (target,) if target else (), everything=False)
    (state,) = installer.supervisor.states([service])
    if state.restarts and not state.last_exit:
        state = replace(state, last_exit=installer.supervisor.last_failure(service))
    found = faults(state)
    daemon = daemon_of(state)
    if as_json:
        from cidx.cli import render

        session.out.line(render.dump(picture(installer.supervisor.name, state, found, daemon)))
    else:
        for name, value in rows(installer.supervisor.name, state, daemon):
            session.out.line(f"{name:<12}{services.shown(value)}")
        for fault in found:
            session.out.line(f"{'wrong':<12}{services.shown(fault.what)}: {fault.why}")
            session.out.line(f"{'':<12}next: {services.shown(fault.next_step)}")
    return int(bool(found))


@command.command("logs", cls=Command)
@click.argument("target", metavar="[PATH]", required=False)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    help="How many lines, the last ones (100; with --since: all).",
)
@click.option(
    "--since", default="", metavar="TIME", help="Only since then: '10 min ago', '2026-01-31 12:00'."
)
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.pass_obj
def logs(session: Session, target: str | None, lines: int | None, since: str, follow: bool) -> int:
    """What the daemon of this repository has logged."""
    installer = services.installer_of(session)
    (service,) = services.select(session, installer, (target,) if target else (), everything=False)
    if lines is None and not since:
        lines = _LOG_LINES
    # journalctl counts from the beginning where it is told where to begin.
    asked = None if since and not follow else lines
    words = installer.supervisor.log_command(service, lines=asked, since=since, follow=follow)
    try:
        printer = subprocess.Popen(
            list(words),
            env={**session.environment, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise CidxError(
            Code.SUPERVISOR_FAILED,
            what="the log can't be shown",
            why=f"{words[0]} is not on PATH",
            next_step=f"install it, or find the log another way; the command was: {shlex.join(words)}",
        ) from None
    last: deque[bytes] = deque(maxlen=lines)
    found = False
    with printer:
        try:
            assert printer.stdout is not None
            assert printer.stderr is not None
            for line in printer.stdout:
                found = True
                if asked is None and not follow:
                    last.append(line)
                    continue
                session.out.write(os.fsdecode(line))
                session.out.flush()
            complaint = " ".join(os.fsdecode(printer.stderr.read()).split())
        finally:
            printer.terminate()
    session.out.write(os.fsdecode(b"".join(last)))
    if printer.returncode > 0:
        raise CidxError(
            Code.SUPERVISOR_FAILED if not since else Code.USAGE,
            what="the log can't be shown",
            why=complaint or f"{words[0]} ended with {printer.returncode}",
            next_step=f"try it by hand: {shlex.join(words)}",
        )
    if not found and lines != 0:
        session.err.line(f"cidx: the log has no lines of this service{f': {complaint}' if complaint else ''}")
    return 0
