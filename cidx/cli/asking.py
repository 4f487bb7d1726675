"""Puts one question to the index, after bringing small changes in, and shows the answer."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cidx import log
from cidx.api.query import Mode, Query
from cidx.cli.options import Shape
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.api.answer import Answer

FOUND, NOTHING_FOUND = 0, 1

# Of these it is known how many there are; what the others leave out is only worse.
_LISTED = frozenset({Mode.REGEX, Mode.SYMBOLS, Mode.REFS})


def ask(session: Session, query: Query, shape: Shape) -> int:
    """Answer a question in the shape that is wanted; the exit code."""
    found = answer(session, query, timed=shape.timing)
    _show(found, session, shape)
    _add_notes(found, session, shape)
    # JSON, the log and the timing tell how long it took.
    session.repeatable = (
        shape.format != "json" and not shape.timing and not log.get().isEnabledFor(logging.DEBUG)
    )
    return FOUND if found.hits else NOTHING_FOUND


def answer(session: Session, query: Query, *, timed: bool = False) -> "Answer":
    """One consistent answer, after a look at the tree."""
    repository = session.repository()
    settings = session.settings(repository)
    with session.source.fresh(repository, settings) as (snapshot, fresh):
        from cidx.api.answer import Answer
        from cidx.search.find import degraded, find
        from cidx.search.laps import Laps
        from cidx.text import embedder

        looked_ms = session.took_ms
        session.check_cancelled()
        laps = Laps()
        # One more tells whether there are more.
        counted = query.mode in _LISTED and query.limit is not None
        asked = replace(query, limit=query.limit + 1) if counted and query.limit is not None else query
        hits = session.source.hits(
            snapshot,
            fresh,
            asked,
            lambda: find(
                snapshot,
                asked,
                embedder=embedder.packaged,
                root=repository.root,
                check=session.check_cancelled,
                laps=laps,
            ),
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
    shown = hits if query.limit is None else hits[: query.limit]
    return Answer(
        query=query.text,
        mode=query.mode,
        repository=str(repository.root),
        generation=snapshot.generation,
        freshness=fresh,
        served_by=session.source.served_by,
        took_ms=session.took_ms,
        hits=shown,
        more=len(shown) < len(hits) if query.mode in _LISTED else None,
        degraded=degraded(snapshot, query.mode, lambda: embedder.packaged().version),
        timing=_timing(looked_ms, laps.times_ms) if timed else None,
    )


def _timing(looked_ms: float, laps_ms: Mapping[str, float]) -> dict[str, Any]:
    """Milliseconds by name; where nothing was searched, the hits were kept from before."""
    times = {"freshness_ms": looked_ms} | {
        f"{name.replace(' ', '_')}_ms": taken for name, taken in laps_ms.items()
    }
    return {name: round(taken, 2) for name, taken in times.items()} | {"kept": not laps_ms}


def _show(found: "Answer", session: Session, shape: Shape) -> None:
    from cidx.cli import render

    started = time.perf_counter()
    match shape.format:
        case "json":
            text = render.as_json(found)
            if found.timing is not None:
                # The first one is there to be timed.
                timing = {**found.timing, "rendering_ms": round((time.perf_counter() - started) * 1000, 2)}
                text = render.as_json(replace(found, timing=timing, took_ms=session.took_ms))
            session.out.line(text)
            return
        case "jsonl":
            render.jsonl(found, session)
        case "vimgrep":
            render.vimgrep(found, session)
        case "paths":
            render.paths(found, session)
        case "quiet":
            render.quiet(found, session)
        case _:
            render.text(found, session, snippet_lines=shape.snippet_lines)
    if found.timing is not None:
        timing = {**found.timing, "rendering_ms": (time.perf_counter() - started) * 1000}
        timed = replace(found, timing=timing, took_ms=session.took_ms)
        session.err.line(f"cidx: {render.timing(timed)}")


def _add_notes(found: "Answer", session: Session, shape: Shape) -> None:
    """What people want to know besides, on stderr."""
    from cidx.cli import hint, render

    if shape.format not in ("json", "jsonl"):
        if not found.hits and shape.format == "text":
            session.err.line("cidx: nothing found")
        if found.more:
            session.err.line(f"cidx: only the first {len(found.hits)}; all of them: -l 0")
        if found.degraded:
            session.err.line(f"cidx: found by words alone: {found.degraded}")
        if not found.freshness.fresh:
            changed = render.changed(found.freshness.changed_files)
            what_now = (
                "that is being brought in" if found.freshness.indexing else "to bring that in: cidx index"
            )
            session.err.line(f"cidx: {changed} since this index was made; {what_now}")
    hint.about_service(session)
