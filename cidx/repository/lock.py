"""One writer per repository: an flock on a file that names its holder.

The kernel lets go of the lock when its holder dies, so a lock is never stale. The file may be deleted
under us (`git clean -fdx`): a lock counts only while its path still leads to the locked file.
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cidx.api.errors import CidxError, Code, Locked
from cidx.repository.repository import write_failure

FILE = "write.lock"
# How soon a freed lock is noticed.
POLL_S = 0.05


@contextmanager
def writing(
    folder: Path,
    *,
    wait: bool,
    on_wait: Callable[[str], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Iterator[Callable[[], bool]]:
    """Hold the writer's lock of a repository folder; yields a way to ask whether it still counts.

    Without `wait`, or where nothing tells the user (`on_wait`), a held lock is the error `Locked`.
    """
    descriptor = _acquire(folder / FILE, wait=wait, on_wait=on_wait, cancelled=cancelled)
    try:
        yield lambda: _is_at(descriptor, folder / FILE)
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """Who holds the lock, in words, as the holder wrote it; empty where nobody does."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return ""
    except BlockingIOError:
        return os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
    finally:
        os.close(descriptor)


def is_held_by_another(folder: Path) -> bool:
    """Whether another process than this one holds the lock."""
    who = holder(folder)
    return bool(who) and not who.startswith(_name())


def _name() -> str:
    return f"process {os.getpid()} "


def _acquire(
    file: Path,
    *,
    wait: bool,
    on_wait: Callable[[str], None] | None,
    cancelled: threading.Event | None,
) -> int:
    told = False
    while True:
        descriptor = _try(file)
        if descriptor is not None:
            return descriptor
        who = holder(file.parent)
        if who and not wait:
            raise Locked(
                what=f"the index in {file.parent} is being written",
                why=f"by {who}",
                next_step="wait for it to finish, or run cidx index, which waits",
            )
        if who and not told and on_wait is not None:
            on_wait(who)
            told = True
        if cancelled is not None and cancelled.wait(POLL_S):
            raise CidxError(
                Code.INTERRUPTED,
                what="interrupted while waiting for the other writer",
                why="the request was cancelled",
                next_step="cidx index",
            )
        if cancelled is None:
            time.sleep(POLL_S)


def _try(file: Path) -> int | None:
    """The locked descriptor, or None while somebody else holds it."""
    try:
        # The folder may have been deleted while somebody waited.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise write_failure(error, file) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(descriptor, file):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{_name()}since {time.strftime('%H:%M:%S')}\n".encode(), 0)
            return descriptor
    except BlockingIOError:
        pass
    except OSError as error:
        # The holder's name is a courtesy: a full disk must not keep a writer from cleaning up.
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return descriptor
        os.close(descriptor)
        raise write_failure(error, file) from error
    os.close(descriptor)
    return None


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False
