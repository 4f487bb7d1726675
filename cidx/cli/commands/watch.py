"""`cidx watch`: keep the index fresh in the foreground, for whom a daemon is too much."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cidx.api.errors import CidxError
from cidx.cli.application import Command, render_error
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.index.indexer import Job
    from cidx.index.progress import Summary
    from cidx.index.watch import Watch
    from cidx.repository.repository import Repository

# Where the system can't watch so much, the tree is looked at so often.
_EVERY_S = 5.0


@click.command(cls=Command)
@click.pass_obj
def command(session: Session) -> None:
    """Bring the index up to date, and again whenever files change, until Ctrl-C."""
    from cidx.cli import progress
    from cidx.index import indexer

    repository = session.repository()
    watch = _watch(session, repository)
    first = progress.watch(
        session, lambda report: indexer.run(repository, replace(_job(session, repository), report=report))
    )
    _say(session, first)
    session.out.line(f"watching {repository.root}; Ctrl-C ends it")
    session.out.flush()
    while True:
        if watch is None:
            time.sleep(_EVERY_S)
        else:
            watch.wait()
            watch.settle()
            if not watch.touched():
                continue
        _bring_in(session, repository)


def _watch(session: Session, repository: "Repository") -> "Watch | None":
    """None, with a word about it, where the system can't."""
    from cidx.index.watch import Watch

    try:
        watch = Watch(repository)
    except OSError as error:
        session.err.line(
            f"cidx: the tree can't be watched ({error.strerror}), so it is looked at every {_EVERY_S:.0f} s; "
            "more watches: sysctl fs.inotify.max_user_watches"
        )
        return None
    session.resources.callback(watch.close)
    return watch


def _bring_in(session: Session, repository: "Repository") -> None:
    from cidx.index import indexer

    try:
        summary = indexer.run(repository, _job(session, repository))
    except CidxError as error:
        # It may pass: the next change tries again.
        render_error(error, session)
    else:
        if summary.rebuilt or summary.added or summary.changed or summary.removed:
            _say(session, summary)
    session.out.flush()
    session.err.flush()


def _job(session: Session, repository: "Repository") -> "Job":
    from cidx.index.indexer import Job
    from cidx.text import embedder

    return Job(
        settings=session.settings(repository).index,
        embedder=embedder.packaged(),
        on_wait=lambda who: session.err.line(f"cidx: waiting for {who}, which is writing this index"),
        cancelled=session.cancelled,
    )


def _say(session: Session, summary: "Summary") -> None:
    session.out.line(
        f"{time.strftime('%H:%M:%S')}  generation {summary.generation}: {summary.added} added, {summary.changed} "
        f"changed, {summary.removed} removed in {summary.took_s:.2f} s; {summary.files} files, {summary.chunks} chunks"
    )
