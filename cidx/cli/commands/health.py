"""`cidx health`: one word and an exit code for whoever watches."""

import click

from cidx.cli.application import Command
from cidx.cli.commands.status import gather
from cidx.cli.options import json_option
from cidx.cli.service_picture import job_rows
from cidx.cli.session import Session

WELL, DEGRADED, DOWN = 0, 1, 2


@click.command(cls=Command)
@json_option()
@click.pass_obj
def command(session: Session, as_json: bool) -> int:
    """Say in one word whether all is well.

    Exits with 0 when it is, with 1 when answers come but could be better, with 2 when there are none.
    """
    from cidx.cli import render

    status = gather(session)
    if status.index is None:
        code, word, why = DOWN, "down", status.problem
    elif not status.index.fresh:
        code, word, why = (
            DEGRADED,
            "degraded",
            f"{render.changed(status.index.changed_files)} since the index was made",
        )
    else:
        code, word, why = WELL, "well", f"generation {status.index.generation} is fresh"
    if status.daemon is not None:
        why += "".join(f"; {name}: {said}" for name, said in job_rows(status.daemon))
    if as_json:
        session.out.line(render.dump({"health": word, "why": why}))
    else:
        session.out.line(f"{word}: {why}")
    return code
