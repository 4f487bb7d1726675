"""`cidx bench`: whether a daemon is worth it for this repository on this machine, from measurement."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cidx.api.errors import CidxError, Code, NotIndexed
from cidx.cli.application import Command
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.repository.repository import Repository

GO, NO_GO = 0, 1


@click.command(cls=Command)
@click.option(
    "--queries",
    type=click.IntRange(1, 100_000),
    default=100,
    metavar="N",
    show_default=True,
    help="How many queries are asked one after the other, and as many at once.",
)
@click.option(
    "--clients",
    type=click.IntRange(1, 100),
    default=10,
    metavar="N",
    show_default=True,
    help="How many clients ask at once.",
)
@json_option()
@click.option("--plot", metavar="FILE", help="Draw the comparison too, as SVG.")
@click.pass_obj
def command(session: Session, queries: int, clients: int, as_json: bool, plot: str | None) -> int:
    """Measure what a daemon gains here, and say GO or NO-GO.

    Starts a daemon of its own for as long as it measures; the service and the index stay as they are. Exits with 0 for
    GO and 1 for NO-GO.
    """
    from cidx.cli import render
    from cidx.cli.bench import matrix, measuring, verdict
    from cidx.cli.bench.daemon import private_place
    from cidx.cli.bench.plot import svg

    _refuse_in_daemon(session)
    repository = session.repository()
    texts, about = _subject(session, repository)
    session.settings(repository)
    draw = _canvas(session, plot)
    with _progress(session) as report, _told_to_stop():
        with private_place(repository.root, session.environment, session.users.home) as place:
            plan = measuring.Plan(queries=queries, clients=clients)
            measured = measuring.measure(place, texts, plan, report)
        found = verdict.criteria(measured)
        word = verdict.word(found)
        draw(svg(measured, title=repository.root.name, verdict=word))
    if as_json:
        criteria = [criterion.to_json() for criterion in found]
        fields = {"criteria": criteria, "measurements": measured.to_json(), "machine": _machine()}
        session.out.line(render.dump({"verdict": word, **about, **fields}))
    else:
        _show(session, about, measured.changed_files)
        for line in matrix.lines(measured, found):
            session.out.line(line)
    return GO if word == "GO" else NO_GO


def _refuse_in_daemon(session: Session) -> None:
    if session.source.served_by == "daemon":
        raise CidxError(
            Code.USAGE,
            what="a daemon can't measure itself",
            why="this command line was sent to one",
            next_step="cidx bench, in a process of its own",
        )


def _subject(session: Session, repository: "Repository") -> tuple[Iterator[str], dict[str, Any]]:
    """Questions to the repository, and what is to be said of it."""
    from itertools import chain

    from cidx.cli.bench.questions import questions

    with session.source.published(repository) as snapshot:
        files, chunks = snapshot.catalogue.counts()
        texts = questions(snapshot, repository.root)
        first = next(texts, None)
        if first is None:
            raise NotIndexed(
                what=f"there is nothing to ask {repository.root} about",
                why="its index holds no words",
                next_step="cidx status, which counts what was skipped",
            )
        index = {"generation": snapshot.generation, "files": files, "chunks": chunks}
    return chain([first], texts), {"repository": str(repository.root), "index": index}


def _machine() -> dict[str, Any]:
    import os
    import platform

    from cidx.api.versions import VERSION

    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "cidx": VERSION,
    }


def _show(session: Session, about: dict[str, Any], changed_files: int) -> None:
    from cidx.cli import render

    index, machine = about["index"], _machine()
    session.out.line(about["repository"])
    session.out.line(
        f"{index['files']:,} files, {index['chunks']:,} chunks; {machine['cores']} cores, {machine['processor']}, "
        f"{machine['system']}, Python {machine['python']}, cidx {machine['cidx']}"
    )
    if changed_files:
        session.out.line(
            f"{render.changed(changed_files)} since it was indexed, which costs every answer a look"
        )
    session.out.line()


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Whoever ends us in another way than by Ctrl-C finds the daemon gone and the folder too."""
    import signal

    usual = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in usual:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, signal.SIG_DFL)


def _canvas(session: Session, plot: str | None) -> Callable[[str], None]:
    """Writes the picture, if one is wanted. That it can be written is known before anything is measured."""
    if plot is None:
        return lambda picture: None
    file = session.directory / plot

    def draw(picture: str) -> None:
        try:
            file.write_text(picture, "utf-8")
        except OSError as error:
            raise _unwritable(file, error) from None

    try:
        is_new = not file.exists()
        file.open("ab").close()
        if is_new:
            # It may be within the repository, which would no longer be as it was indexed.
            file.unlink()
    except OSError as error:
        raise _unwritable(file, error) from None
    return draw


def _unwritable(file: Path, error: OSError) -> CidxError:
    return CidxError(
        Code.USAGE,
        what=f"{file} can't be written",
        why=error.strerror or str(error),
        next_step="give --plot a file in a folder of yours",
    )


@contextlib.contextmanager
def _progress(session: Session) -> Iterator[Callable[[str, int, int], None]]:
    """One line that says what is being measured, where somebody looks; it has gone at the end."""
    from cidx.cli.columns import cut

    if not session.terminal.err_is_terminal or session.environment.get("TERM") == "dumb":
        yield lambda what, done, of: None
        return

    def report(what: str, done: int, of: int) -> None:
        line = cut(f"measuring {what}: {done} of {of}", session.terminal.columns - 3)
        session.err.write(f"\r\x1b[K{line}")
        session.err.flush()

    try:
        yield report
    finally:
        session.err.write("\r\x1b[K")
        session.err.flush()
