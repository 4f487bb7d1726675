"""A file of SQLite: its connection, transactions, log, and what its errors mean. The only place that knows SQLite."""

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cidx.api.errors import CidxError, Damaged

# SQLite takes at most 32,766 parameters in one statement.
_PARAMETERS = 30_000
# How long to wait for the moment in which another process recovers or truncates the log.
_BUSY_S = 5.0


class Database:
    """One connection. Reads are safe from several threads; writes belong to one."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection = connection
        self._file = file
        self._lock = threading.Lock()

    def begin_writing(self) -> None:
        self._run("PRAGMA synchronous=FULL")
        self._run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._run("COMMIT")

    def compact(self) -> None:
        """Let lie close together what came in any order: a third less. Not within a transaction."""
        self._run("VACUUM")

    def copy_to(self, file: Path) -> None:
        """A catalogue of its own with what is committed here now."""
        try:
            with contextlib.closing(sqlite3.connect(file)) as target:
                self._connection.backup(target)
        except sqlite3.Error as error:
            raise _error(file, error) from error

    def fold(self) -> bool:
        """Bring the log into the file; whether all of it is there, which takes that nobody reads an older state.

        Nobody is waited for: a daemon reads as long as it lives. Whoever closes last has nothing left to bring in, so
        the file stays as it is then.
        """
        row = self._one("PRAGMA wal_checkpoint(PASSIVE)")
        return row is not None and row[0] == 0 and row[1] == row[2]

    def damage(self) -> str:
        """What SQLite finds wrong with its file; empty if nothing."""
        found = self._all("PRAGMA quick_check(1)")
        return "" if found == [("ok",)] else str(found[0][0]) if found else "it can't be checked"

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @property
    def changes(self) -> int:
        """How many rows this connection has changed."""
        return self._connection.total_changes

    def version(self) -> int:
        """A number that changes when another connection commits; a cheap way to follow."""
        row = self._one("PRAGMA data_version")
        assert row is not None
        return int(row[0])

    # For those who know what is in it

    def _select_in(self, select: str, values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        remaining = list(values)
        for start in range(0, len(remaining), _PARAMETERS):
            part = remaining[start : start + _PARAMETERS]
            yield from self._all(f"{select} ({','.join('?' * len(part))})", part)

    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._all(statement, values)

    def _one(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        rows = self._all(statement, values)
        return rows[0] if rows else None

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise _error(self._file, error) from error

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._lock:
            try:
                self._connection.executemany(statement, rows)
            except sqlite3.Error as error:
                raise _error(self._file, error) from error


def create(file: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _error(file, error) from error


def connect(file: Path, options: str = "") -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=rw{options}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_S,
        )
    except sqlite3.OperationalError as error:
        raise _damaged(file, error) from None


def copy(file: Path) -> sqlite3.Connection:
    """What is committed, in memory."""
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        try:
            _copy_into(memory, file, "&vfs=unix-excl")
        except sqlite3.OperationalError:
            # Not even an empty log can be made. Where there is none, everything is in the file.
            if file.with_name(f"{file.name}-wal").exists():
                raise
            _copy_into(memory, file, "&immutable=1")
    except sqlite3.Error as error:
        memory.close()
        raise _error(file, error) from error
    return memory


def _copy_into(memory: sqlite3.Connection, file: Path, options: str) -> None:
    with contextlib.closing(connect(file, options)) as connection:
        # Takes the lock, waiting for it no longer than the time-out; `backup` by itself would wait for ever.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.backup(memory)


def _error(file: Path, error: sqlite3.Error) -> Exception:
    """What SQLite's error means: a full or failing disk is the system's fault, the rest is damage."""
    name = getattr(error, "sqlite_errorname", "")
    # SHMSIZE: the file that readers and writer share could not grow.
    if name in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE") or (
        name == "SQLITE_CANTOPEN" and _has_no_room_for_files(file.parent)
    ):
        return OSError(errno.ENOSPC, "No space left on device", str(file))
    if name.startswith("SQLITE_IOERR") or name in ("SQLITE_READONLY", "SQLITE_CANTOPEN"):
        return OSError(errno.EIO, f"{error}", str(file))
    return _damaged(file, error)


def _has_no_room_for_files(folder: Path) -> bool:
    """Whether no file can be made, however small; some file systems do not count them and say 0 of 0."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_files > 0 and found.f_favail == 0


def _damaged(file: Path, error: Exception) -> CidxError:
    return Damaged(what=f"the catalogue {file} can't be used", why=str(error))
