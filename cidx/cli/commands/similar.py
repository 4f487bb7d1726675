"""`cidx similar`: what is like a place in the code."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cidx.api.errors import CidxError, Code
from cidx.api.query import Accuracy, Mode, Query
from cidx.cli.application import Command
from cidx.cli.options import Shape, filter_options, filters, nearness_options, output_options

if TYPE_CHECKING:
    from cidx.cli.session import Session

# As hits are written: `path:3`, `path:3-9`, `path:3:14` with anything behind it.
_PLACE = re.compile(r"(.+?):([0-9]+)(?:-[0-9]+|:.*)?", re.DOTALL)


@click.command(cls=Command)
@click.argument("place", metavar="PATH:LINE")
@nearness_options
@filter_options
@output_options
@click.pass_context
def command(context: click.Context, /, place: str, **options: Any) -> int:
    """Find what is like the code at a place.

    Compares the chunk at that line with all others by meaning. Exits with 1 when nothing is like it.
    """
    from cidx.cli.asking import ask

    shape = Shape.of(context, options)
    session: Session = context.obj
    path, line = _split(place)
    query = Query(
        text=f"{_below_root(path, session)}:{line}",
        mode=Mode.SIMILAR,
        limit=options["limit"] or None,
        filters=filters(options),
        min_score=options["min_score"],
        accuracy=Accuracy(options["accuracy"]),
    )
    return ask(session, query, shape)


def _split(place: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(place)
    if found is None:
        raise CidxError(
            Code.USAGE,
            what=f"{place!r} is not a place in a file",
            why="a path and a line are expected, as in src/main.py:42",
            next_step="cidx similar PATH:LINE",
        )
    # No file has more lines than has nine digits.
    return found[1], int(found[2][:9])


def _below_root(path: str, session: "Session") -> str:
    """The path relative to the root; one that leads nowhere from here may be relative to it already."""
    root = session.repository().root
    here = os.path.normpath(os.path.join(os.path.realpath(session.directory), path))
    if not os.path.lexists(here) and os.path.lexists(root / path):
        here = os.path.normpath(root / path)
    if not Path(here).is_relative_to(root):
        raise CidxError(
            Code.BAD_QUERY,
            what=f"{here} is not in this repository",
            why=f"the root of the repository is {root}",
            next_step="go there, or name its repository with -C",
        )
    return os.path.relpath(here, root)
