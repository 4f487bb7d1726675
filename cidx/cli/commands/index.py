"""`cidx index`: bring the index up to date, with progress."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cidx.cli.application import Command
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.index.files import Listing
    from cidx.index.progress import Summary
    from cidx.repository.repository import Repository
    from cidx.repository.settings import IndexSettings


@click.command(cls=Command)
@click.option("--clear", is_flag=True, help="Index every file anew; vectors of unchanged content are kept.")
@json_option("Print a summary in JSON.")
@click.pass_obj
def command(session: Session, clear: bool, as_json: bool) -> None:
    """Bring the index up to date.

    Only what changed is read. An interrupted run leaves the index as it was published last.
    """
    from cidx.index.files import Listing

    repository = session.repository()
    settings = session.settings(repository)
    # git lists the tree while the rest is being imported.
    with Listing(repository) as listing:
        summary = _run(session, repository, settings.index, listing, clear=clear)
    _link(session, repository, summary)
    if as_json:
        session.out.line(json.dumps({"repository": str(repository.root), **summary.to_json()}))
        return
    for line in _lines(summary):
        session.out.line(line)
    if repository.why_elsewhere:
        session.err.line(
            f"cidx: the index is kept in {repository.folder}, because {repository.why_elsewhere}"
        )


def _run(
    session: Session, repository: "Repository", settings: "IndexSettings", listing: "Listing", *, clear: bool
) -> "Summary":
    from cidx.cli.progress import watch
    from cidx.index import indexer
    from cidx.text import embedder

    job = indexer.Job(
        settings=settings,
        embedder=embedder.packaged(),
        clear=clear,
        verify=True,
        listing=listing,
        on_wait=lambda who: session.err.line(f"cidx: waiting for {who}, which is writing this index"),
        cancelled=session.cancelled,
    )
    return watch(session, lambda report: indexer.run(repository, replace(job, report=report)))


def _link(session: Session, repository: "Repository", summary: "Summary") -> None:
    """Add a graph to the published generation where there are so many vectors that it pays."""
    from cidx.store import graph

    if summary.chunks < graph.WORTH_ROWS:
        return
    from cidx.cli.progress import watch
    from cidx.index.progress import Progress, Report
    from cidx.store.snapshot import open_current

    with open_current(repository.index_folder) as snapshot:
        base, vectors = snapshot.base, snapshot.vectors

    def job(report: Report) -> str:
        def show(done: int) -> None:
            phase = f"linking vectors, {done * 100 // len(vectors)} % done"
            report(Progress(phase, summary.files, summary.files, summary.chunks))

        show(0)
        return graph.renew(
            base, vectors, report=show, cancelled=session.cancelled, worth_rows=graph.WORTH_ROWS
        )

    why = watch(session, job)
    if why and not session.cancelled.is_set():
        session.err.line(f"cidx: no graph was built ({why}); queries compare all vectors instead")


def _lines(summary: "Summary") -> list[str]:
    if not (summary.rebuilt or summary.added or summary.changed or summary.removed):
        head = f"up to date: generation {summary.generation}"
    else:
        head = (
            f"published generation {summary.generation}: {summary.added} added, {summary.changed} changed, "
            f"{summary.removed} removed, {summary.embedded} chunks embedded"
        )
    lines = [f"{head} in {summary.took_s:.2f} s", f"{summary.files} files, {summary.chunks} chunks"]
    if summary.skipped:
        lines.append("skipped: " + ", ".join(f"{count} {why}" for why, count in summary.skipped.items()))
    if summary.why_rebuilt:
        lines.append(f"rebuilt: {summary.why_rebuilt}")
    return lines
