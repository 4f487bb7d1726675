"""Notices that the code on disk is no longer the code that runs: an upgrade in place.

Every module of cidx is imported before the first call is answered, so that nothing imported later can be of
another version. The files are looked at before that, so an upgrade in the middle of it is noticed too.
"""

import importlib
import os
import pkgutil
import time
from pathlib import Path

import cidx

_PACKAGE = cidx.__name__
# How long an answer holds: looking costs a stat for each module.
_HOLDS_S = 1.0


class LoadedCode:
    """The files that this process was made from."""

    def __init__(self) -> None:
        self._files = {
            str(file): _identity(str(file))
            for folder in cidx.__path__
            for file in Path(folder).rglob("*")
            # The queries of the grammars and the model are read later: they are code too.
            if file.suffix != ".pyc" and file.is_file()
        }
        self._looked = 0.0
        self._changed = False
        _import_everything()

    def has_changed(self) -> bool:
        if not self._changed and time.monotonic() - self._looked > _HOLDS_S:
            self._changed = any(_identity(file) != known for file, known in self._files.items())
            self._looked = time.monotonic()
        return self._changed


def _import_everything() -> None:
    for module in pkgutil.walk_packages(cidx.__path__, _PACKAGE + "."):
        # The client and the process entry are scripts: importing them would run them.
        if not module.name.startswith((f"{_PACKAGE}.client.main", f"{_PACKAGE}.__main__")):
            importlib.import_module(module.name)


def _identity(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
