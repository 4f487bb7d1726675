"""`cidx index`: bring the index up to date, with progress."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cidx.api.errors import CidxError, Code
from cidx.cli.application import Command
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.cli.index_job import Made
    from cidx.index.files import Listing
    from cidx.index.progress import Report, Summary
    from cidx.repository.repository import Repository


@click.command(cls=Command)
@click.option("--clear", is_flag=True, help="Index every file anew; vectors of unchanged content are kept.")
@click.option("--cancel", is_flag=True, help="End the daemon's index job.")
@json_option("Print a summary in JSON.")
@click.pass_obj
def command(session: Session, clear: bool, cancel: bool, as_json: bool) -> int:
    """Bring the index up to date.

    Only what changed is read. An interrupted run leaves the index as it was published last. Where a daemon listens, the
    job is its own: Ctrl-C ends the view, and others who ask see the same progress.
    """
    from cidx.cli import index_job
    from cidx.index.files import Listing

    repository = session.repository()
    if cancel:
        _cancel(session, repository, clear=clear, as_json=as_json)
        return 0
    # git lists the tree while the rest is being imported.
    with Listing(repository) as listing:
        made = None if clear else _glance(session, repository, listing)
        try:
            made = made or index_job.watch(session, repository, clear=clear)
        except KeyboardInterrupt:
            error = index_job.left()
            if as_json:
                raise error from None
            session.err.line(f"cidx: {error.why}; {error.next_step}")
            return error.code.exit_code
        made = made or _make(session, repository, listing, clear=clear)
    _show(session, repository, made, as_json=as_json)
    return 0


def _glance(session: Session, repository: "Repository", listing: "Listing") -> "Made | None":
    """What there is to say where nothing is to do, which is what happens most."""
    from cidx.cli.index_job import Made
    from cidx.index import glance
    from cidx.text import model

    summary = glance.unchanged(repository, listing, session.settings(repository).index, model=model.version())
    return None if summary is None else Made(summary, "")


def _show(session: Session, repository: "Repository", made: "Made", *, as_json: bool) -> None:
    if made.no_graph:
        session.err.line(f"cidx: no graph was built ({made.no_graph}); queries compare all vectors instead")
    if as_json:
        session.out.line(json.dumps({"repository": str(repository.root), **made.summary.to_json()}))
        return
    for line in _lines(made.summary):
        session.out.line(line)
    if repository.why_elsewhere:
        session.err.line(
            f"cidx: the index is kept in {repository.folder}, because {repository.why_elsewhere}"
        )


def _cancel(session: Session, repository: "Repository", *, clear: bool, as_json: bool) -> None:
    from cidx.cli import index_job

    if clear:
        raise CidxError(
            Code.USAGE,
            what="--cancel and --clear can't be had together",
            why="one ends a job, the other begins one",
            next_step="cidx index --cancel, then: cidx index --clear",
        )
    said = index_job.cancel(session, repository)
    session.out.line(json.dumps({"repository": str(repository.root), "said": said}) if as_json else said)


def _make(session: Session, repository: "Repository", listing: "Listing", *, clear: bool) -> "Made":
    """Bring the index up to date in this process."""
    from cidx.cli import progress
    from cidx.cli.index_job import Made
    from cidx.index import indexer, linking
    from cidx.text import embedder

    job = indexer.Job(
        settings=session.settings(repository).index,
        embedder=embedder.packaged(),
        clear=clear,
        verify=True,
        listing=listing,
        on_wait=lambda who: session.err.line(f"cidx: waiting for {who}, which is writing this index"),
        cancelled=session.cancelled,
    )

    def make(report: "Report") -> Made:
        summary = indexer.run(repository, replace(job, report=report))
        return Made(summary, linking.link(repository, summary, report=report, cancelled=session.cancelled))

    return progress.watch(session, make)


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
