"""`cidx health`: one word and an exit code for whoever watches."""

from typing import TYPE_CHECKING, Any

import click

from cidx.cli.application import Command
from cidx.cli.commands.status import gather
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.api.status import Status

WELL, DEGRADED, DOWN = 0, 1, 2
_WORDS = {WELL: "well", DEGRADED: "degraded", DOWN: "down"}


@click.command(cls=Command)
@json_option()
@click.pass_obj
def command(session: Session, as_json: bool) -> int:
    """Say in one word whether all is well, and why not.

    Exits with 0 when it is, with 1 when answers come but could be better, with 2 when there are none. Wakes no daemon.
    """
    from cidx.cli import render

    status = gather(session)
    code, reasons = judge(status)
    reasons += _on_its_way(status.daemon)
    if as_json:
        session.out.line(render.dump({"health": _WORDS[code], "why": "; ".join(reasons), "reasons": reasons}))
    else:
        session.out.line(f"{_WORDS[code]}: {'; '.join(reasons)}")
    return code


def judge(status: "Status") -> tuple[int, list[str]]:
    """The exit code, and what speaks for it."""
    from cidx.cli import render

    if status.index is None:
        return DOWN, [status.problem]
    reasons = list(status.daemon["reasons"]) if status.daemon is not None else []
    if not status.index.fresh:
        reasons.append(f"{render.changed(status.index.changed_files)} since the index was made")
    if status.service.wrong:
        reasons.append(f"the service is {status.service.state}: {status.service.detail}")
    if reasons:
        return DEGRADED, reasons
    return WELL, [f"generation {status.index.generation} is fresh"]


def _on_its_way(daemon: "dict[str, Any] | None") -> list[str]:
    """The jobs that run or wait."""
    from cidx.cli.service_picture import job_rows

    return [f"{name}: {said}" for name, said in job_rows(daemon)] if daemon is not None else []
