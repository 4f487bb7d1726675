"""Before an answer: whether files have changed since the generation, and small changes brought in first.

The same step in every mode: small changes are indexed at once if nobody else is writing; otherwise the
answer says how many files differ.
"""

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from cidx.api.answer import Freshness
from cidx.api.errors import CidxError
from cidx.index import attributes, changes
from cidx.index.changes import Changes
from cidx.index.files import Listing, among
from cidx.repository.repository import Repository
from cidx.repository.settings import IndexSettings, Settings
from cidx.store import source
from cidx.store.records import FileRow
from cidx.store.snapshot import Snapshot
from cidx.text import encoding
from cidx.text.embedder import Embedder

# About a second's work: a full index of 36.4 MB took 18.6 s of CPU (tests/bench/bars.py).
_SMALL_FILES = 200
_SMALL_BYTES = 1_500_000
# Beyond so many suspects the count is of touched files: reading them all would be the index run itself.
_COUNTED_BY_CONTENT = 200


def refresh(
    repository: Repository,
    snapshot: Snapshot,
    found: Changes,
    *,
    settings: Settings,
    embedder: Embedder,
    later: ExitStack | None = None,
) -> tuple[Freshness, bool]:
    """How fresh the published generation is, of which `found` may have changed, and whether that is a newer one now.

    What `later` takes over of the work is no answer's business.
    """
    if not found:
        return Freshness(), False
    usable = snapshot.model == embedder.version
    if settings.daemon.auto_index and usable and _is_small(found, settings.index):
        from cidx.index import indexer  # grammars, chunker and writer: only for who has something to index

        seen = None if found.distrust else indexer.Seen(found, snapshot.generation)
        try:
            job = indexer.Job(settings=settings.index, embedder=embedder, wait=False, seen=seen, later=later)
            indexer.run(repository, job)
        except CidxError:
            # Somebody else is writing, or the disk refuses: the published generation still answers.
            pass
        else:
            return Freshness(), True
    return Freshness(changed_files=count_changed(repository, snapshot, found, settings.index)), False


def look_at(
    repository: Repository, snapshot: Snapshot, paths: Iterable[bytes], settings: IndexSettings
) -> tuple[Changes, frozenset[bytes]] | None:
    """What may have changed of these paths, where nothing else can have, and which of them never count.

    None where only a look at the tree tells.
    """
    wanted = list(paths)
    known = {row.path: row.stamp for row in snapshot.catalogue.files_at(wanted)}
    found = among(repository, wanted, known=known, exclude=settings.exclude)
    if found is None:
        return None
    return changes.compare(found.entries, known, limit=settings.max_file_bytes), found.unlisted


def look(snapshot: Snapshot, listing: Listing, settings: IndexSettings) -> Changes:
    """What may have changed since a generation, by stamps."""
    with _without_collecting():
        entries = listing.entries(exclude=settings.exclude)
        wanted = changes.policy(settings, attributes.digest(listing.root, entries))
        return changes.compare(
            entries,
            snapshot.catalogue.stamps(),
            limit=settings.max_file_bytes,
            distrust=snapshot.policy != wanted,
        )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Garbage may wait: a look makes much that holds no circles, and looking for some took a fifth of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def count_changed(repository: Repository, snapshot: Snapshot, found: Changes, settings: IndexSettings) -> int:
    """How many files differ; suspects are compared by content while they are few."""
    suspects = len(found.suspects)
    if suspects <= _COUNTED_BY_CONTENT:
        root = os.fsencode(repository.root)
        rows = snapshot.catalogue.files_at(entry.path for entry in found.suspects)
        suspects = sum(_differs(root + b"/" + row.path, row, settings.max_file_bytes) for row in rows)
    return len(found.new) + len(found.gone) + suspects


def _is_small(found: Changes, settings: IndexSettings) -> bool:
    return len(found) <= _SMALL_FILES and found.size_bytes(limit=settings.max_file_bytes) <= _SMALL_BYTES


def _differs(path: bytes, row: FileRow, limit: int) -> bool:
    """Whether another index run would make something else of a file."""
    from cidx.index.skipping import BINARY

    try:
        if row.skipped == BINARY:
            return not encoding.is_binary(source.read(path, limit=encoding.HEAD_BYTES).data)
        return source.digest(source.read(path, limit=limit + 1).data) != row.digest
    except OSError:
        return True
