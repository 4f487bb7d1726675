"""`cidx daemon`: the daemon of one repository, as a supervisor or a person starts it."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cidx import log
from cidx.api.errors import CidxError, Code
from cidx.cli.application import Command, Group, log_to
from cidx.cli.session import Output, Session, Terminal

if TYPE_CHECKING:
    from cidx.daemon.activation import Listener
    from cidx.daemon.service import Call, Reply
    from cidx.daemon.warm import Warm
    from cidx.repository.repository import Repository, UserFolders


@click.group(cls=Group, name="daemon")
@click.pass_context
def command(context: click.Context) -> None:
    """The process that keeps a repository's index warm."""
    if context.invoked_subcommand is None:
        context.obj.out.line(context.get_help())


@command.command("serve", cls=Command)
@click.option(
    "--root", metavar="PATH", help="The repository's root, whether or not it is there; services use it."
)
@click.pass_obj
def serve(session: Session, root: str | None) -> None:
    """Serve this repository until idle or told to stop.

    Takes the socket that systemd or launchd hands over, else makes one of its own, which is what containers and other
    supervisors need. Stops on SIGTERM and Ctrl-C after finishing what runs.
    """
    if session.source.served_by == "daemon":
        raise CidxError(
            Code.USAGE,
            what="a daemon can't serve from within a daemon",
            why="this command line was sent to one",
            next_step="cidx daemon serve, in a process of its own",
        )
    repository = session.repository() if root is None else _at(session, root)
    listener = _listener(session, repository)
    _log(session, repository)
    from cidx import daemon
    from cidx.daemon.notify import Notifier
    from cidx.daemon.vitals import Vitals
    from cidx.daemon.warm import Warm

    vitals = Vitals()
    warm = Warm(repository.root, session.users, vitals)
    daemon.serve(
        listener,
        repository_id=repository.id,
        warm=warm,
        run=runner(warm, session.users),
        vitals=vitals,
        settings=lambda: warm.settings(repository, session.environment).daemon,
        notifier=Notifier(os.environ),
    )


def _at(session: Session, root: str) -> "Repository":
    """A service is for one root: where that has moved away, the daemon starts all the same and answers so."""
    from cidx.repository import repository as repositories

    return repositories.at(session.directory / root, session.users)


def _log(session: Session, repository: "Repository") -> None:
    """To where the supervisor keeps it, else to the terminal; `-v` has seen to it already."""
    logger = log.get()
    logger.addFilter(log.Bounded())
    if logger.handlers:
        return
    level = log.level(session.environment)
    handler = log.supervised(session.environment, repository=str(repository.root))
    if handler is None:
        log_to(session, level)
    else:
        logger.setLevel(level)
        logger.addHandler(handler)


def runner(warm: "Warm", users: "UserFolders") -> "Callable[[Call], Reply]":
    """Runs the command line of a call as any other, over the warm side."""
    from cidx.cli.application import run
    from cidx.daemon.service import Reply

    def answer(call: "Call") -> "tuple[Reply, bool]":
        out, err = io.BytesIO(), io.BytesIO()
        environment = call.environment
        session = Session(
            directory=Path(call.directory),
            environment=environment,
            users=users,
            terminal=Terminal.of(
                environment,
                columns=call.columns,
                out_is_terminal=call.out_is_terminal,
                err_is_terminal=call.err_is_terminal,
            ),
            out=Output(out),
            err=Output(err),
            source=warm,
            cancelled=call.cancelled,
        )
        code = run(call.argv, session)
        reply = Reply(code, out.getvalue(), err.getvalue(), session.failed, session.command)
        return reply, session.repeatable

    return lambda call: warm.reply(
        call.question, Path(call.directory), call.environment, lambda: answer(call)
    )


def _listener(session: Session, repository: "Repository") -> "Listener":
    from cidx.client import address
    from cidx.daemon import activation

    found = activation.inherited(os.environ)
    if found is not None:
        return found
    path = address.socket_path(
        str(repository.root), environment=session.environment, home=str(session.users.home)
    )
    listener = activation.bind(Path(path))
    session.err.line(f"cidx: serving {repository.root} on {path}")
    session.err.flush()
    return listener
