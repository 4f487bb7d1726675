"""The catalogue: files, chunks, symbols and the keys of vectors, in SQLite. The only place that knows what is in it.

Its commit is the publication of a generation. Ids only grow and are never given twice, so that an id that
full text still holds can't mean another chunk.
"""

import json
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, count
from pathlib import Path
from typing import Any

from cidx.api.errors import Damaged
from cidx.store import database
from cidx.store.database import Database
from cidx.store.records import (
    Candidate,
    ChunkRow,
    FileRow,
    FormerFile,
    NewChunk,
    NewFile,
    Reference,
    Span,
    Symbol,
)

# So many bytes of a key are indexed; the rest is compared.
_KEY_PREFIX = 4

# The chunks of a file have consecutive ids. Symbols and references are clustered by name and not indexed by file: those
# of a file that is gone are passed over until `purge`. What a path held last is in `former`; should it come back, it is
# given its id again, and so has them. A reference keeps no name, only a checksum that finds it; whoever looks for a
# name reads the line.
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE file (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, stamp BLOB NOT NULL, digest BLOB NOT NULL,
    language TEXT NOT NULL, skipped TEXT NOT NULL, first_chunk INTEGER NOT NULL, chunks INTEGER NOT NULL);
CREATE TABLE embedding (row INTEGER PRIMARY KEY, key BLOB NOT NULL);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    row INTEGER NOT NULL, symbol TEXT NOT NULL, kind INTEGER NOT NULL, header TEXT NOT NULL,
    names TEXT NOT NULL, start_byte INTEGER NOT NULL, size_bytes INTEGER NOT NULL);
CREATE TABLE kind (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE symbol (
    name TEXT NOT NULL, file INTEGER NOT NULL, number INTEGER NOT NULL, scope TEXT NOT NULL, kind INTEGER NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, PRIMARY KEY (name, file, number)) WITHOUT ROWID;
CREATE TABLE reference (
    name INTEGER NOT NULL, file INTEGER NOT NULL, kind INTEGER NOT NULL, line INTEGER NOT NULL,
    PRIMARY KEY (name, file, kind)) WITHOUT ROWID;
CREATE TABLE former (
    path BLOB PRIMARY KEY, file INTEGER NOT NULL, digest BLOB NOT NULL, language TEXT NOT NULL, spans TEXT NOT NULL,
    generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead (chunk INTEGER PRIMARY KEY);
CREATE INDEX embedding_by_key ON embedding (substr(key, 1, {_KEY_PREFIX}));
CREATE INDEX chunk_by_row ON chunk (row);
"""

# Facts that are texts; all others are numbers.
_TEXTS = ("model", "policy")
# In the order of their numbers, which a catalogue keeps.
_REFERENCE_KINDS = ("import", "call", "inherit")

_FILES = "SELECT id, path, stamp, digest, language, skipped FROM file"
_CHUNKS = """
SELECT chunk.id, chunk.file, file.path, file.language, chunk.start_line, chunk.end_line, chunk.symbol,
       kind.name, chunk.header, chunk.names, chunk.row, embedding.key,
       file.stamp, chunk.start_byte, chunk.size_bytes
FROM chunk JOIN file ON file.id = chunk.file JOIN embedding ON embedding.row = chunk.row
JOIN kind ON kind.id = chunk.kind
"""
# The chunk of a line, in a file that is still there.
_DEFINING = """
SELECT chunk.id FROM symbol JOIN file ON file.id = symbol.file
JOIN chunk ON chunk.id >= file.first_chunk AND chunk.id < file.first_chunk + file.chunks
WHERE symbol.name = ? AND symbol.start_line BETWEEN chunk.start_line AND chunk.end_line LIMIT ?
"""
_IMPORTING = """
SELECT chunk.id, file.path FROM reference JOIN file ON file.id = reference.file
JOIN chunk ON chunk.id >= file.first_chunk AND chunk.id < file.first_chunk + file.chunks
WHERE reference.name = ? AND reference.kind = 0 AND reference.line BETWEEN chunk.start_line AND chunk.end_line LIMIT ?
"""
_REMEMBER = """
INSERT OR REPLACE INTO former
SELECT path, file.id, digest, language,
       json_group_array(json_array(start_line, end_line, symbol, kind.name, header, names)), ?
FROM file JOIN chunk ON chunk.id >= file.first_chunk AND chunk.id < file.first_chunk + file.chunks
JOIN kind ON kind.id = chunk.kind
WHERE file.id = ? AND skipped = '' GROUP BY file.id
"""
_SYMBOL_KINDS = "SELECT name FROM kind WHERE id IN (SELECT DISTINCT kind FROM symbol) ORDER BY name"
_CANDIDATES = "SELECT id, file, row, symbol, names FROM chunk"


class Catalogue(Database):
    """What a generation knows, over one connection. Reads are safe from several threads; writes belong to one."""

    @classmethod
    def create(cls, file: Path) -> "Catalogue":
        """A new catalogue that nobody sees yet: fast, durable only after `settle`."""
        catalogue = cls(database.create(file), file)
        for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN", *_SCHEMA.split(";")):
            catalogue._run(statement)
        return catalogue

    @classmethod
    def open(cls, file: Path) -> "Catalogue":
        """An existing catalogue."""
        return cls(database.connect(file), file)

    @classmethod
    def open_to_read(cls, file: Path) -> "Catalogue":
        """An existing catalogue that will not be changed; a copy in memory where the disk is full or fails.

        To read beside a writer SQLite makes a file of 32 kB. The VFS `unix-excl` does without it, but
        keeps everybody else out, so it is held only for copying.
        """
        catalogue = cls.open(file)
        try:
            catalogue.meta("generation")
        except OSError:
            catalogue.close()
            return cls(database.copy(file), file)
        except BaseException:
            catalogue.close()
            raise
        return catalogue

    # Transactions

    def begin_reading(self) -> None:
        """Pin what is published now: until `close` nothing later is seen."""
        self._run("PRAGMA query_only=1")
        self._run("BEGIN")
        self.meta("generation")

    def settle(self) -> None:
        """Commit a new catalogue and make it durable and ready for readers beside a writer."""
        self._run("COMMIT")
        self.compact()
        self._run("PRAGMA synchronous=FULL")
        self._run("PRAGMA journal_mode=WAL")
        with self._file.open("rb+") as stream:
            os.fsync(stream.fileno())

    # Facts

    def meta(self, name: str) -> Any:
        row = self._one("SELECT value FROM meta WHERE name = ?", (name,))
        if row is None or not isinstance(row[0], str if name in _TEXTS else int):
            raise Damaged(
                what=f"the catalogue {self._file} can't be used", why=f"it does not know its {name}"
            )
        return row[0]

    def set_meta(self, **values: Any) -> None:
        self._many("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def counts(self) -> tuple[int, int]:
        """Indexed files and chunks."""
        row = self._one("SELECT (SELECT count(*) FROM file WHERE skipped = ''), (SELECT count(*) FROM chunk)")
        assert row is not None
        return row[0], row[1]

    def skipped(self) -> dict[str, int]:
        """How many files have no chunks, by reason."""
        return dict(
            self._all(
                "SELECT skipped, count(*) FROM file WHERE skipped != '' GROUP BY skipped ORDER BY skipped"
            )
        )

    def files(self) -> list[FileRow]:
        return [FileRow(*row) for row in self._all(_FILES)]

    def files_at(self, paths: Iterable[bytes]) -> list[FileRow]:
        return [FileRow(*row) for row in self._select_in(f"{_FILES} WHERE path IN", paths)]

    def stamps(self) -> dict[bytes, bytes]:
        """The stamp of every file by its path: what a tree is compared with."""
        return dict(self._all("SELECT path, stamp FROM file"))

    def languages(self) -> list[tuple[int, bytes, str]]:
        """Id, path and language of every indexed file: what filters decide on."""
        return self._all("SELECT id, path, language FROM file WHERE skipped = ''")

    def named(self, files: Iterable[int]) -> Iterable[tuple[int, bytes, str]]:
        """Id, path and language of these files."""
        return self._select_in("SELECT id, path, language FROM file WHERE id IN", files)

    def chunks(self, ids: Iterable[int]) -> list[ChunkRow]:
        """The chunks of these ids that are alive."""
        return [_chunk_row(row) for row in self._select_in(f"{_CHUNKS} WHERE chunk.id IN", ids)]

    def chunks_of_files(self, files: Iterable[int]) -> list[ChunkRow]:
        """The chunks of these files, which cover each line of them once."""
        return [
            _chunk_row(row)
            for row in self._select_in(
                f"{_CHUNKS} WHERE chunk.id >= file.first_chunk AND chunk.id < file.first_chunk + file.chunks"
                " AND file.id IN",
                files,
            )
        ]

    def spans_of_files(self, files: Iterable[int]) -> list[tuple[int, int, int, int]]:
        """The same in brief: file, chunk, first and last line."""
        return list(
            self._select_in(
                "SELECT file.id, chunk.id, start_line, end_line FROM file JOIN chunk"
                " ON chunk.id >= file.first_chunk AND chunk.id < file.first_chunk + file.chunks WHERE file.id IN",
                files,
            )
        )

    def candidates(self, ids: Iterable[int]) -> list[Candidate]:
        """The same in brief, for a fifth of the time."""
        return [Candidate(*row) for row in self._select_in(f"{_CANDIDATES} WHERE id IN", ids)]

    def candidates_of_rows(self, rows: Iterable[int]) -> list[Candidate]:
        """The living chunks that have one of these vectors; several may share one."""
        return [Candidate(*row) for row in self._select_in(f"{_CANDIDATES} WHERE row IN", rows)]

    def all_chunks(self) -> list[ChunkRow]:
        return [_chunk_row(row) for row in self._all(_CHUNKS)]

    def files_of_chunks(self, ids: Iterable[int]) -> Iterable[tuple[int, int]]:
        """Those of these chunks that are alive, each with its file."""
        return self._select_in("SELECT id, file FROM chunk WHERE id IN", ids)

    def rows_of_files(self, files: Iterable[int]) -> list[int]:
        """The vectors that the chunks of these files have."""
        found = self._select_in(
            "SELECT DISTINCT chunk.row FROM file JOIN chunk"
            " ON chunk.id >= file.first_chunk AND chunk.id < file.first_chunk + file.chunks WHERE file.id IN",
            files,
        )
        return sorted({row for (row,) in found})

    def embeddings(self) -> list[tuple[bytes, int]]:
        """The contents that have vectors, and the rows of these."""
        return self._all("SELECT key, row FROM embedding")

    def rows_of_keys(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """The vectors that exist already for these contents."""
        wanted = set(keys)
        prefixes = {key[:_KEY_PREFIX] for key in wanted}
        found = self._select_in(
            f"SELECT key, row FROM embedding WHERE substr(key, 1, {_KEY_PREFIX}) IN",  # noqa: S608  (a number)
            prefixes,
        )
        return {key: row for key, row in found if key in wanted}

    def symbols(self) -> list[tuple[bytes, Symbol]]:
        """Every definition with the path of its file."""
        rows = self._all(
            "SELECT file.path, symbol.name, scope || symbol.name, kind.name, start_line, end_line"
            " FROM symbol JOIN file ON file.id = symbol.file JOIN kind ON kind.id = symbol.kind"
        )
        return [(row[0], Symbol(*row[1:])) for row in rows]

    def symbols_like(self, part: str) -> list[tuple[int, Symbol]]:
        """The definitions whose names hold this, in any case of ASCII letters, each with the id of its file."""
        rows = self._all(
            "SELECT file.id, symbol.name, scope || symbol.name, kind.name, start_line, end_line"
            " FROM symbol JOIN file ON file.id = symbol.file JOIN kind ON kind.id = symbol.kind"
            " WHERE symbol.name LIKE ? ESCAPE '\\'",
            ("%" + re.sub(r"([%_\\])", r"\\\1", part) + "%",),
        )
        return [(row[0], Symbol(*row[1:])) for row in rows]

    def defining(self, name: str, *, most: int) -> set[int]:
        """The chunks in which definitions of a name begin; none of a name that has more than `most`."""
        found = {chunk for (chunk,) in self._all(_DEFINING, (name, most + 1))}
        return found if len(found) <= most else set()

    def importing(self, name: str, *, most: int) -> list[tuple[int, bytes]]:
        """The chunks in which files first import a name, with the paths of these; at most so many."""
        return self._all(_IMPORTING, (_checksum(name), most))

    def has_folder(self, folder: bytes) -> bool:
        """Whether any file lies in a folder, which ends with a slash."""
        return (
            self._one("SELECT 1 FROM file WHERE path > ? AND path < ?", (folder, folder[:-1] + b"0"))
            is not None
        )

    def symbol_kinds(self) -> list[str]:
        """The kinds of definitions that there are."""
        return [kind for (kind,) in self._all(_SYMBOL_KINDS)]

    def references(self, name: str | None = None) -> list[tuple[bytes, str, int]]:
        """Path, kind and line of what may be a use of a name; of every use without one."""
        select = "SELECT file.path, kind, line FROM reference JOIN file ON file.id = reference.file"
        rows = (
            self._all(f"{select} ORDER BY file.path, line")
            if name is None
            else self._all(f"{select} WHERE reference.name = ? ORDER BY file.path, line", (_checksum(name),))
        )
        return [(path, _REFERENCE_KINDS[kind], line) for path, kind, line in rows]

    def dead(self) -> list[int]:
        """Chunks that full text still holds though no file has them any more."""
        return [chunk for (chunk,) in self._all("SELECT chunk FROM dead")]

    # Changes

    def add_file(self, id_: int, file: NewFile, *, first_chunk: int, chunks: int) -> None:
        self._run(
            "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (id_, file.path, file.stamp, file.digest, file.language, file.skipped, first_chunk, chunks),
        )

    def set_stamp(self, id_: int, stamp: bytes) -> None:
        self._run("UPDATE file SET stamp = ? WHERE id = ?", (stamp, id_))

    def add_chunks(self, file: int, first_id: int, chunks: Sequence[NewChunk]) -> None:
        """All of a file's, in order."""
        starts = accumulate((chunk.size_bytes for chunk in chunks), initial=0)
        rows = [
            (
                id_, file, chunk.span.start_line, chunk.span.end_line, chunk.row, chunk.span.symbol,
                self._kind(chunk.span.kind), chunk.span.header, chunk.span.names, start, chunk.size_bytes,
            )
            for id_, chunk, start in zip(count(first_id), chunks, starts, strict=False)
        ]  # fmt: skip
        self._many("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def add_symbols(self, file: int, symbols: Sequence[Symbol]) -> None:
        rows = [
            (s.name, file, number, s.path.removesuffix(s.name), self._kind(s.kind), s.start_line, s.end_line)
            for number, s in enumerate(symbols)
        ]
        self._many("INSERT INTO symbol VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _kind(self, name: str) -> int:
        """The number of a kind of definition, which it has from the first one on."""
        number = self._kinds.get(name)
        if number is None:
            number = self._kinds[name] = len(self._kinds)
            self._run("INSERT INTO kind VALUES (?, ?)", (number, name))
        return number

    @cached_property
    def _kinds(self) -> dict[str, int]:
        return dict(self._all("SELECT name, id FROM kind"))

    def add_references(self, file: int, references: Sequence[Reference]) -> None:
        # Two names of one file may have the same checksum: then either finds the line of the first.
        self._many(
            "INSERT OR IGNORE INTO reference VALUES (?, ?, ?, ?)",
            ((_checksum(r.name), file, _REFERENCE_KINDS.index(r.kind), r.line) for r in references),
        )

    def add_embeddings(self, keys: Iterable[bytes], rows: Iterable[int]) -> None:
        self._many("INSERT INTO embedding VALUES (?, ?)", zip(rows, keys, strict=True))

    def former(self, paths: Iterable[bytes]) -> dict[bytes, FormerFile]:
        """What these paths held last before what they hold now."""
        rows = self._select_in("SELECT path, file, digest, language, spans FROM former WHERE path IN", paths)
        return {
            path: FormerFile(id_, digest, language, sorted(Span(*span) for span in json.loads(spans)))
            for path, id_, digest, language, spans in rows
        }

    def forget_former(self, path: bytes, id_: int) -> None:
        self._run("DELETE FROM former WHERE path = ? AND file = ?", (path, id_))

    def remove_file(self, id_: int, *, generation: int) -> None:
        """Remove a file for the sake of this generation, remembering how it was cut."""
        self._run(_REMEMBER, (generation, id_))
        chunks = (
            "FROM chunk WHERE id IN (SELECT chunk.id FROM file JOIN chunk ON chunk.id >= file.first_chunk"
            " AND chunk.id < file.first_chunk + file.chunks WHERE file.id = ?)"
        )
        self._run(f"INSERT INTO dead SELECT id {chunks}", (id_,))
        self._run(f"DELETE {chunks}", (id_,))
        self._run("DELETE FROM file WHERE id = ?", (id_,))

    def purge(self, *, generation: int) -> int:
        """Forget what lies here of files that are gone, unless this generation removed them; how many those are."""
        self._run("DELETE FROM former WHERE generation < ?", (generation,))
        for table in ("symbol", "reference"):
            self._run(
                f"DELETE FROM {table} WHERE file NOT IN (SELECT id FROM file UNION SELECT file FROM former)"  # noqa: S608  (our own two names)
            )
        row = self._one("SELECT count(*) FROM former")
        assert row is not None
        return int(row[0])

    def forget_dead(self) -> None:
        """Full text no longer holds what was dead until now."""
        self._run("DELETE FROM dead")


def _checksum(name: str) -> int:
    """Four bytes with a sign, as SQLite stores them shortest."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) - 2**31


def _chunk_row(row: tuple[Any, ...]) -> ChunkRow:
    return ChunkRow(row[0], row[1], row[2], row[3], Span(*row[4:10]), *row[10:])
