"""Whether there is nothing to do for an index, found out with as little as possible.

A run that changes nothing is the one that happens most. It imports no numpy, no tantivy and no grammar, takes no lock
and writes nothing: it compares the tree with the catalogue, and the files of the index with their seal.
"""

import contextlib
import time

from cidx.api.errors import CidxError
from cidx.index import attributes, changes
from cidx.index.files import Listing
from cidx.index.progress import Summary
from cidx.repository.repository import Repository
from cidx.repository.settings import IndexSettings
from cidx.store import layout, seal
from cidx.store.catalogue import Catalogue


def unchanged(
    repository: Repository, listing: Listing, settings: IndexSettings, *, model: str
) -> Summary | None:
    """What a run would say that finds nothing to do; None where there may be something, damage included."""
    started = time.perf_counter()
    try:
        base = layout.current(repository.index_folder)
        if not seal.is_sealed(base):
            return None
        check = seal.Check(repository.index_folder)
        with contextlib.closing(Catalogue.open_to_read(base.catalogue)) as catalogue:
            entries = listing.entries(exclude=settings.exclude)
            policy = changes.policy(settings, attributes.digest(listing.root, entries))
            if (catalogue.meta("model"), catalogue.meta("policy")) != (model, policy):
                return None
            if changes.compare(entries, catalogue.stamps(), limit=settings.max_file_bytes) or check.damage():
                return None
            files, chunks = catalogue.counts()
            if chunks >= layout.WORTH_A_GRAPH:
                # Its graph may be due.
                return None
            return Summary(
                generation=catalogue.meta("generation"),
                files=files,
                chunks=chunks,
                added=0,
                changed=0,
                removed=0,
                embedded=0,
                skipped=catalogue.skipped(),
                took_s=time.perf_counter() - started,
            )
    except (CidxError, OSError):
        # Whatever is wrong, a whole run says it, or mends it.
        return None
