"""The last part of an index run: a graph beside the published generation, where it has so many vectors that it pays."""

import threading

from cidx.index.progress import Progress, Report, Summary
from cidx.repository.repository import Repository

PHASE = "linking vectors"


def link(repository: Repository, summary: Summary, *, report: Report, cancelled: threading.Event) -> str:
    """Build the graph that is due; why there is none although it was tried, else empty."""
    from cidx.store import graph, layout
    from cidx.store.snapshot import open_current

    if summary.chunks < layout.WORTH_A_GRAPH:
        return ""
    with open_current(repository.index_folder) as snapshot:
        base, vectors = snapshot.base, snapshot.vectors

    def show(done: int) -> None:
        phase = f"{PHASE}, {done * 100 // len(vectors)} % done"
        report(Progress(phase, summary.looked_at, summary.looked_at, summary.chunks_read))

    show(0)
    why = graph.renew(base, vectors, report=show, cancelled=cancelled, worth_rows=layout.WORTH_A_GRAPH)
    return "" if cancelled.is_set() else why
