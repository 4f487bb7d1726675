"""`cidx query`: search, from one generation, after bringing small changes in."""

from typing import Any

import click

from cidx.api.errors import CidxError, Code
from cidx.api.query import Accuracy, Mode, Query
from cidx.cli.application import Command
from cidx.cli.options import Shape, filter_options, filters, nearness_options, output_options


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.option("--fts", is_flag=True, help="Search by words only; what is in double quotes as it stands.")
@click.option("--semantic", is_flag=True, help="Search by meaning only.")
@click.option("--regex", is_flag=True, help="Search for lines that a regular expression matches.")
@click.option("--fuzzy", is_flag=True, help="Search by words that may differ by a letter.")
@click.option(
    "--edit-distance", type=click.IntRange(0, 2), metavar="0-2", help="Or by so many letters; 1 with --fuzzy."
)
@click.option("--case-sensitive", is_flag=True, help="Search by words in their own case.")
@nearness_options
@filter_options
@output_options
@click.pass_context
def command(context: click.Context, /, text: tuple[str, ...], **options: Any) -> int:
    """Search the repository by meaning and by words.

    Both --fts and --semantic, or neither, is hybrid search. Exits with 1 when nothing is found.
    """
    from cidx.cli.asking import ask

    shape = Shape.of(context, options)
    query = Query(
        text=" ".join(text),
        mode=_mode(options),
        limit=options["limit"] or None,
        filters=filters(options),
        case_sensitive=options["case_sensitive"],
        edit_distance=_edit_distance(options),
        min_score=options["min_score"],
        accuracy=Accuracy(options["accuracy"]),
    )
    return ask(context.obj, query, shape)


def _mode(options: dict[str, Any]) -> Mode:
    """What is searched by. What asks for words as they are written is a search by words."""
    written = [flag for flag in ("fuzzy", "case_sensitive") if options[flag]]
    if options["edit_distance"] is not None:
        written.append("edit_distance")
    if options["semantic"]:
        for flag in ("regex", *written):
            if options[flag]:
                raise _do_not_go_together("semantic", flag, "meaning is not in the letters")
    if options["regex"]:
        for flag in written:
            if flag != "case_sensitive":
                raise _do_not_go_together("regex", flag, "a regular expression says itself what may differ")
        return Mode.REGEX
    if options["case_sensitive"] and _edit_distance(options):
        raise _do_not_go_together("fuzzy", "case_sensitive", "words that may differ may do so in their case")
    if written or (options["fts"] and not options["semantic"]):
        return Mode.FTS
    return Mode.SEMANTIC if options["semantic"] and not options["fts"] else Mode.HYBRID


def _edit_distance(options: dict[str, Any]) -> int | None:
    if options["edit_distance"] is None:
        return 1 if options["fuzzy"] else None
    return int(options["edit_distance"])


def _do_not_go_together(one: str, other: str, why: str) -> CidxError:
    one, other = (f"--{flag.replace('_', '-')}" for flag in (one, other))
    return CidxError(
        Code.USAGE,
        what=f"{one} and {other} do not go together",
        why=why,
        next_step="leave one of them out; cidx query --help",
    )
