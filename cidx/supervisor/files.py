"""Files in folders that others use too: written whole or not at all, and removed without a trace.

A folder that had to be made is remembered by whoever asked for it (in the file itself), and goes with the last file
if it is empty then.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cidx.repository.repository import write_failure


def missing_folders(folder: Path) -> tuple[str, ...]:
    """The folder and its parents as far as they don't exist, outermost first."""
    missing: list[str] = []
    while not folder.exists():
        missing.append(str(folder))
        folder = folder.parent
    return tuple(reversed(missing))


def write(file: Path, text: str, *, mode: int) -> None:
    """Replace a file whole; its folder is made where it is missing."""
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".cidx-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), mode)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise write_failure(error, file) from error


def remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise write_failure(error, file) from error


def remove_empty(folders: Iterable[str]) -> None:
    """The innermost first; one in use stays."""
    for folder in sorted(folders, key=len, reverse=True):
        try:
            os.rmdir(folder)
        except OSError:
            continue


def same(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() == text.encode()
    except OSError:
        return False
