"""`cidx query`: search, from one generation, after bringing small changes in."""

import logging
from typing import TYPE_CHECKING

import click

from cidx import log
from cidx.api.errors import CidxError, Code
from cidx.api.query import Filters, Mode, Query
from cidx.cli.application import JSON_KEY, Command
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.api.answer import Answer
    from cidx.api.languages import Language

FOUND, NOTHING_FOUND = 0, 1


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.option(
    "-l", "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Hits; 0: all."
)
@click.option("--fts", is_flag=True, help="Search by words only.")
@click.option("--semantic", is_flag=True, help="Search by meaning only.")
@click.option("--language", "languages", multiple=True, metavar="NAME", help="Only files of this language.")
@click.option(
    "--exclude-language", "no_languages", multiple=True, metavar="NAME", help="No files of this language."
)
@click.option(
    "--path-filter", "paths", multiple=True, metavar="GLOB", help="Only paths like this, as in .gitignore."
)
@click.option("--exclude-path", "no_paths", multiple=True, metavar="GLOB", help="No paths like this.")
@click.option(
    "--snippet-lines", type=click.IntRange(min=0), default=6, show_default=True, help="Lines shown of a hit."
)
@click.option("-q", "--quiet", is_flag=True, help="Only path:start-end, one hit a line.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(
    context: click.Context,
    text: tuple[str, ...],
    limit: int,
    fts: bool,
    semantic: bool,
    languages: tuple[str, ...],
    no_languages: tuple[str, ...],
    paths: tuple[str, ...],
    no_paths: tuple[str, ...],
    snippet_lines: int,
    quiet: bool,
    format_: str,
    as_json: bool,
) -> int:
    """Search the repository by meaning and by words.

    Both --fts and --semantic, or neither, is hybrid search. Exits with 1 when nothing is found.
    """
    from cidx.api.languages import family
    from cidx.cli import hint, render

    session: Session = context.obj
    as_json = as_json or format_ == "json"
    if as_json:
        context.meta[JSON_KEY] = True
    query = Query(
        text=" ".join(text),
        mode=_mode(fts=fts, semantic=semantic),
        limit=limit or None,
        filters=Filters(
            languages=tuple(known for name in languages for known in family(_language(name))),
            exclude_languages=tuple(_language(name).name for name in no_languages),
            paths=paths,
            exclude_paths=no_paths,
        ),
    )
    found = answer(session, query)
    if as_json:
        session.out.line(render.as_json(found))
    elif quiet:
        render.quiet(found, session)
    else:
        render.text(found, session, snippet_lines=snippet_lines)
    if not as_json and not found.freshness.fresh:
        changed = render.changed(found.freshness.changed_files)
        session.err.line(f"cidx: {changed} since this index was made; to bring that in: cidx index")
    hint.about_service(session)
    # JSON and the log tell how long it took.
    session.repeatable = not as_json and not log.get().isEnabledFor(logging.DEBUG)
    return FOUND if found.hits else NOTHING_FOUND


def answer(session: Session, query: Query) -> "Answer":
    """One consistent answer, after a look at the tree."""
    repository = session.repository()
    settings = session.settings(repository)
    with session.source.fresh(repository, settings) as (snapshot, fresh):
        from cidx.api.answer import Answer
        from cidx.search.retrieve import retrieve
        from cidx.text import embedder

        looked_ms = session.took_ms
        session.check_cancelled()
        hits = session.source.hits(
            snapshot,
            fresh,
            query,
            lambda: retrieve(snapshot, query, embedder=embedder.packaged(), root=repository.root),
        )
    session.check_cancelled()
    log.get().debug(
        "search done",
        extra=log.fields(
            mode=query.mode,
            hits=len(hits),
            generation=snapshot.generation,
            fresh=fresh.fresh,
            freshness_ms=looked_ms,
            took_ms=session.took_ms,
        ),
    )
    return Answer(
        query=query.text,
        mode=query.mode,
        repository=str(repository.root),
        generation=snapshot.generation,
        freshness=fresh,
        served_by=session.source.served_by,
        took_ms=session.took_ms,
        hits=hits,
    )


def _mode(*, fts: bool, semantic: bool) -> Mode:
    if fts == semantic:
        return Mode.HYBRID
    return Mode.FTS if fts else Mode.SEMANTIC


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
