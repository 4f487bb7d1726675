"""`cidx symbols`: where names are defined."""

from typing import Any

import click

from cidx.api.query import Mode, Query
from cidx.cli.application import Command
from cidx.cli.options import Shape, filter_options, filters, output_options


@click.command(cls=Command)
@click.argument("name", required=False, default="")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind: function, class, …")
@click.option("--case-sensitive", is_flag=True, help="Only names in this case.")
@filter_options
@output_options
@click.pass_context
def command(context: click.Context, /, name: str, **options: Any) -> int:
    """Find where a name is defined.

    First what is called so, then what begins with it, then what has it within; without a name, every definition. A
    dotted name is looked for within what it names: Thing.method. Exits with 1 when nothing is found.
    """
    from cidx.cli.asking import ask

    shape = Shape.of(context, options)
    query = Query(
        text=name,
        mode=Mode.SYMBOLS,
        limit=options["limit"] or None,
        filters=filters(options),
        case_sensitive=options["case_sensitive"],
        kinds=options["kinds"],
    )
    return ask(context.obj, query, shape)
