"""Options that several commands share, and what they mean as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cidx.api.errors import CidxError, Code
from cidx.api.query import Accuracy, Filters
from cidx.cli.application import JSON_KEY

if TYPE_CHECKING:
    from cidx.api.languages import Language

FORMATS = ("text", "json", "jsonl", "vimgrep", "paths")


def json_option(help_text: str = "Answer in JSON.") -> Callable[[Any], Any]:
    """`--json`; errors are then JSON too."""
    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=_remember, help=help_text)


def _remember(context: click.Context, _: click.Parameter, wanted: bool) -> bool:
    if wanted:
        context.meta[JSON_KEY] = True
    return wanted


_FILTERS = (
    click.option(
        "--language", "languages", multiple=True, metavar="NAME", help="Only files of this language."
    ),
    click.option(
        "--exclude-language", "no_languages", multiple=True, metavar="NAME", help="No files of this language."
    ),
    click.option(
        "--path-filter",
        "paths",
        multiple=True,
        metavar="GLOB",
        help="Only paths like this, as in .gitignore.",
    ),
    click.option("--exclude-path", "no_paths", multiple=True, metavar="GLOB", help="No paths like this."),
)
_NEARNESS = (
    click.option(
        "--min-score",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="0-1",
        help="No hits with a lower score.",
    ),
    click.option(
        "--accuracy",
        type=click.Choice([str(one) for one in Accuracy]),
        default=str(Accuracy.BALANCED),
        show_default=True,
        help="How far a large set of vectors is looked through.",
    ),
)
_OUTPUT = (
    click.option(
        "-l",
        "--limit",
        type=click.IntRange(min=0),
        default=10,
        show_default=True,
        help="How many hits; 0: all.",
    ),
    click.option(
        "--snippet-lines",
        type=click.IntRange(min=0),
        default=6,
        show_default=True,
        help="Lines shown of a hit.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Only path:start-end, one hit a line."),
    click.option(
        "--format",
        "format_",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        help="How hits are written.",
    ),
    click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
    click.option("--timing", is_flag=True, help="Say where the time went."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which files may answer; `filters` reads them."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def nearness_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How good hits have to be, and how thoroughly they are looked for."""
    for option in reversed(_NEARNESS):
        command = option(command)
    return command


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How many hits, and how they are shown; `Shape.of` reads them."""
    for option in reversed(_OUTPUT):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an answer is shown."""

    format: str
    snippet_lines: int
    timing: bool

    @classmethod
    def of(cls, context: click.Context, options: Mapping[str, Any]) -> "Shape":
        """From the options of a command; where programs listen, errors are JSON from here on."""
        format_ = options["format_"]
        if options["as_json"]:
            format_ = "json"
        elif options["quiet"] and format_ == "text":
            format_ = "quiet"
        if format_ in ("json", "jsonl"):
            context.meta[JSON_KEY] = True
        return cls(format=format_, snippet_lines=options["snippet_lines"], timing=options["timing"])


def filters(options: Mapping[str, Any]) -> Filters:
    """The filters of a command's options."""
    from cidx.api.languages import family

    return Filters(
        languages=tuple(known for name in options["languages"] for known in family(_language(name))),
        exclude_languages=tuple(_language(name).name for name in options["no_languages"]),
        paths=options["paths"],
        exclude_paths=options["no_paths"],
    )


def _language(name: str) -> "Language":
    """The language that is meant; an unknown name is an error that offers the nearest."""
    from cidx.api import languages

    found = languages.by_name(name)
    if found is None:
        near = languages.closest(name)
        raise CidxError(
            Code.USAGE,
            what=f"there is no language {name!r}",
            why=f"did you mean {', '.join(near)}?" if near else "cidx does not know it",
            next_step="cidx query --help",
        )
    return found
