"""Options that several commands share."""

from collections.abc import Callable
from typing import Any

import click

from cidx.cli.application import JSON_KEY


def json_option(help_text: str = "Answer in JSON.") -> Callable[[Any], Any]:
    """`--json`; errors are then JSON too."""
    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=_remember, help=help_text)


def _remember(context: click.Context, _: click.Parameter, wanted: bool) -> bool:
    if wanted:
        context.meta[JSON_KEY] = True
    return wanted
