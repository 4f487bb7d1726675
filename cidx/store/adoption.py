"""A published base of another worktree, copied as the beginning of this one's: what is the same there need not be made.

The copy is one generation, whole, however busy the other writer is: the catalogue is copied as SQLite keeps it
consistent, and full text and vectors hold all of the generation that was current then until another one has passed.
Only for who holds the writer's lock of the index that begins.
"""

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from cidx.api.errors import CidxError
from cidx.store import fulltext, layout
from cidx.store.catalogue import Catalogue


def adopt(index: Path, others: Iterable[Path], *, model: str) -> bool:
    """Begin with the first of the other indexes that can be used; whether there was one."""
    return any(_adopt(index, other, model) for other in others)


def _adopt(index: Path, other: Path, model: str) -> bool:
    try:
        theirs = layout.current(other)
        layout.remove_leftovers(index)
        ours = layout.new_base(index)
    except (CidxError, OSError):
        return False
    try:
        if not _copy(theirs, ours, model):
            layout.remove_leftovers(index)
            return False
        layout.publish(index, ours)
    except (CidxError, OSError):
        # A full disk, or a writer that has replaced what was being copied.
        layout.remove_leftovers(index)
        return False
    return True


def _copy(theirs: layout.Base, ours: layout.Base, model: str) -> bool:
    """Copy a base; whether the copy is one whole generation of this model."""
    with contextlib.closing(Catalogue.open_to_read(theirs.catalogue)) as catalogue:
        if catalogue.meta("model") != model:
            return False
        catalogue.copy_to(ours.catalogue)
        shutil.copyfile(theirs.vectors, ours.vectors)
        ignored = shutil.ignore_patterns("*.lock")
        shutil.copytree(theirs.fulltext, ours.fulltext, ignore=ignored, copy_function=_copy_if_there)
        now: int = catalogue.meta("generation")
    with contextlib.closing(Catalogue.open_to_read(ours.catalogue)) as copied:
        overtaken = now - copied.meta("generation")
    # Of a full text that was committed meanwhile, files may be missing.
    return overtaken <= 1 and not fulltext.damage(ours.fulltext)


def _copy_if_there(source: str, target: str) -> None:
    """Files that no commit names yet come and go while somebody writes."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(source, target)
