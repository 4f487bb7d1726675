"""`cidx refs`: where a name is used."""

from typing import Any

import click

from cidx.api.query import Mode, Query
from cidx.cli.application import Command
from cidx.cli.options import Shape, filter_options, filters, output_options

# As the catalogue calls them.
_KINDS = ("import", "call", "inherit")


@click.command(cls=Command)
@click.argument("name")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only this kind of use.")
@filter_options
@output_options
@click.pass_context
def command(context: click.Context, /, name: str, **options: Any) -> int:
    """Find where a name is imported, called or inherited from.

    Shows the first place of each kind in each file. Of a dotted name the last part counts. Exits with 1 when nothing is
    found.
    """
    from cidx.cli.asking import ask

    shape = Shape.of(context, options)
    query = Query(
        text=name,
        mode=Mode.REFS,
        limit=options["limit"] or None,
        filters=filters(options),
        kinds=options["kinds"],
    )
    return ask(context.obj, query, shape)
