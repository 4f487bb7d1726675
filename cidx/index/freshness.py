"""Before an answer: whether files have changed since the generation, and small changes brought in first.

The same step in every mode: small changes are indexed at once if nobody else is writing; otherwise the
answer says how many files differ.
"""

import os

from cidx.api.answer import Freshness
from cidx.api.errors import CidxError
from cidx.index import changes
from cidx.index.changes import Changes
from cidx.index.files import Listing
from cidx.repository.repository import Repository
from cidx.repository.settings import Settings
from cidx.store import source
from cidx.store.snapshot import Snapshot
from cidx.text.embedder import Embedder

# About a second's work: a full index of 36.4 MB took 18.6 s of CPU (tests/bench/bars.py).
_SMALL_FILES = 200
_SMALL_BYTES = 1_500_000
# Beyond so many suspects the count is of touched files: reading them all would be the index run itself.
_COUNTED_BY_CONTENT = 200


def refresh(
    repository: Repository,
    snapshot: Snapshot,
    listing: Listing,
    *,
    settings: Settings,
    embedder: Embedder,
) -> tuple[Freshness, bool]:
    """How fresh the published generation is now, and whether that is a newer one than the snapshot."""
    entries = listing.entries(exclude=settings.index.exclude)
    found = changes.compare(
        entries, snapshot.catalogue.stamps(), distrust=snapshot.policy != changes.policy(settings.index)
    )
    if not found:
        return Freshness(), False
    usable = snapshot.model == embedder.version
    if settings.daemon.auto_index and usable and _is_small(found):
        from cidx.index import indexer  # grammars, chunker and writer: only for who has something to index

        try:
            indexer.run(repository, indexer.Job(settings=settings.index, embedder=embedder, wait=False))
        except CidxError:
            # Somebody else is writing, or the disk refuses: the published generation still answers.
            pass
        else:
            return Freshness(), True
    return Freshness(changed_files=count_changed(repository, snapshot, found)), False


def count_changed(repository: Repository, snapshot: Snapshot, found: Changes) -> int:
    """How many files differ; suspects are compared by content while they are few."""
    suspects = len(found.suspects)
    if suspects <= _COUNTED_BY_CONTENT:
        root = os.fsencode(repository.root)
        rows = snapshot.catalogue.files_at(entry.path for entry in found.suspects)
        suspects = sum(_differs(root + b"/" + row.path, row.digest) for row in rows)
    return len(found.new) + len(found.gone) + suspects


def _is_small(found: Changes) -> bool:
    return len(found) <= _SMALL_FILES and found.size_bytes <= _SMALL_BYTES


def _differs(path: bytes, digest: bytes) -> bool:
    try:
        return source.digest(source.read(path).data) != digest
    except OSError:
        return True
