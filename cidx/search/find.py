"""One question to its hits, whatever kind of question it is: the entry to this room.

Hits come in the order of their kind (ranked, or by place), those below the least score left out, cut to the limit.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from cidx.api.answer import Hit
from cidx.api.errors import CidxError, Code
from cidx.api.query import Mode, Query
from cidx.search import lines, names, pattern, words
from cidx.search.laps import Laps
from cidx.search.lines import Check
from cidx.store.snapshot import Snapshot
from cidx.text.embedder import Embedder


def find(
    snapshot: Snapshot,
    query: Query,
    *,
    embedder: Callable[[], Embedder],
    root: Path,
    check: Check,
    laps: Laps,
) -> list[Hit]:
    """The hits, as many as the query asks for; `check` raises when nobody waits for them any more."""
    if not query.text.strip() and query.mode is not Mode.SYMBOLS:
        raise CidxError(
            Code.BAD_QUERY,
            what="the query is empty",
            why="there is nothing to look for",
            next_step='cidx query "what you are looking for"',
        )
    hits: Iterable[Hit]
    match query.mode:
        case Mode.REGEX:
            hits = _matching(snapshot, query, root, check, laps)
        case Mode.SYMBOLS:
            hits = names.symbols(snapshot, query, root=root, check=check)
        case Mode.REFS:
            hits = names.references(snapshot, query, root=root, check=check)
        case Mode.SIMILAR:
            from cidx.search.similar import similar  # numpy, which the others do without

            hits = similar(snapshot, query, root=root, check=check)
        case Mode.FTS if query.edit_distance:
            hits = words.like(snapshot, query, root=root)
        case Mode.FTS if words.is_exact(query):
            hits = words.exact(snapshot, query, root=root, check=check)
        case _:
            from cidx.search.retrieve import retrieve

            return retrieve(snapshot, query, embedder=embedder(), root=root, laps=laps)
    found = list(islice((hit for hit in hits if hit.score >= query.min_score), query.limit))
    laps.lap("reading")
    return found


def degraded(snapshot: Snapshot, mode: Mode, version: Callable[[], str]) -> str:
    """Why words alone answer a question of this kind; empty where they don't. `version` is that of our model."""
    if mode not in (Mode.HYBRID, Mode.SEMANTIC):
        return ""
    if snapshot.lean:
        return "the daemon is short of memory"
    return "the index is of another model" if snapshot.model != version() else ""


def _matching(snapshot: Snapshot, query: Query, root: Path, check: Check, laps: Laps) -> Iterator[Hit]:
    wanted = pattern.parse(query.text)
    candidates = lines.candidates(snapshot, wanted, query.filters)
    laps.lap("candidates")
    found = lines.find(snapshot, wanted, candidates, root=root, check=check)
    return (hit for _, hit in found)
