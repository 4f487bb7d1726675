"""`cidx metrics`: what the daemon has counted, for programs that collect it."""

import click

from cidx.api.errors import CidxError, Code
from cidx.cli.application import Command
from cidx.cli.commands.status import ask_daemon, service_of, socket_path
from cidx.cli.options import json_option
from cidx.cli.session import Session


@click.command(cls=Command)
@json_option("Answer in JSON (the default).")
@click.option("--prometheus", "as_prometheus", is_flag=True, help="Answer as Prometheus text.")
@click.pass_obj
def command(session: Session, as_json: bool, as_prometheus: bool) -> None:
    """Show what the daemon has counted: requests, errors, cache, latencies, memory."""
    from cidx.cli import render

    repository = session.repository()
    found = ask_daemon(session, repository, "metrics")
    if found is None:
        state = service_of(session, repository)[1]
        raise CidxError(
            Code.UNREACHABLE,
            what=f"no daemon answers for {repository.root}",
            why=(
                f"its service is {state.word}, and only queries wake a daemon"
                if state
                else f"nobody listens on {socket_path(session, repository)}"
            ),
            next_step="cidx service status" if state else "cidx service install, or: cidx daemon serve",
        )
    if as_prometheus and not as_json:
        from cidx.cli import prometheus

        for line in prometheus.lines(found):
            session.out.line(line)
    else:
        session.out.line(render.dump(found))
