"""One file on its way to the store: what is read, what is skipped and why."""

import os
import time
from pathlib import Path

import pytest

from cidx.index import reader
from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings
from cidx.store import source
from cidx.text import embedder

LATER_NS = 10**12


def read(
    file: Path, settings: IndexSettings | None = None, *, later_ns: int = LATER_NS
) -> reader.Read | None:
    stat = os.lstat(file)
    entry = Entry(os.fsencode(file.name), stat.st_size, source.stamp(stat))
    [found] = prepare(file.parent, [reader.Task(entry)], settings, now_ns=time.time_ns() + later_ns).reads
    return found


def prepare(
    root: Path, tasks: list[reader.Task], settings: IndexSettings | None = None, *, now_ns: int = 1
) -> reader.Batch:
    return reader.Reader(
        root=os.fsencode(root),
        settings=settings or IndexSettings(),
        embedder=embedder.packaged(),
        known_of=lambda keys: frozenset(),
    ).prepare(tasks, now_ns=now_ns)


def skipped(file: Path, settings: IndexSettings | None = None) -> str:
    found = read(file, settings)
    assert found is not None
    assert not found.pieces
    return found.file.skipped


def test_a_file_comes_with_its_pieces(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def needle():\n    return getHTTP()\n")
    found = read(tmp_path / "a.py")
    assert found is not None
    (piece,) = found.pieces
    assert (found.file.language, piece.span.symbol) == ("python", "needle")
    assert piece.body.split() == ["def", "needle", "return", "gethttp", "get", "http"]
    assert piece.key == source.content_key("", (tmp_path / "a.py").read_bytes())
    assert [symbol.name for symbol in found.symbols] == ["needle"]


def test_a_vocabulary_that_fills_up_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = []
    for number in range(20):
        file = tmp_path / f"{number}.py"
        file.write_text(
            "".join(f"def f{number}_{n}(x{n}):\n    return x{n} + {number}\n\n\n" * 9 for n in range(9))
        )
        stat = os.lstat(file)
        tasks.append(reader.Task(Entry(os.fsencode(file.name), stat.st_size, source.stamp(stat))))
    expected = prepare(tmp_path, tasks)
    monkeypatch.setattr(reader.Vocabulary, "CAPACITY", 7)
    found = prepare(tmp_path, tasks)
    assert found.reads == expected.reads
    assert found.vectors.keys() == expected.vectors.keys()
    assert all((found.vectors[key] == vector).all() for key, vector in expected.vectors.items())


def test_binary_large_and_unwanted_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n\0")
    assert skipped(tmp_path / "a.py") == "binary"
    (tmp_path / "b.py").write_bytes(b"x = 1\n" * 100)
    assert skipped(tmp_path / "b.py", IndexSettings(max_file_bytes=50)) == "too large"
    assert skipped(tmp_path / "b.py", IndexSettings(languages=("go",))) == "other language"
    wanted = read(tmp_path / "b.py", IndexSettings(languages=("go", "py")))
    assert wanted is not None
    assert wanted.pieces


def test_a_file_that_is_too_large_to_parse_is_cut_by_lines(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"def needle(): ...\n" * 120_000)
    found = read(tmp_path / "a.py", IndexSettings(max_file_bytes=10_000_000))
    assert found is not None
    assert (found.file.language, len(found.symbols)) == ("python", 0)
    assert found.pieces[-1].span.end_line == 120_000


def test_what_is_gone_or_no_file_is_none(tmp_path: Path) -> None:
    gone = [reader.Task(Entry(b"gone", 1, b""))]
    assert prepare(tmp_path, gone).reads == [None]
    os.mkfifo(tmp_path / "gone")
    assert prepare(tmp_path, gone).reads == [None]


def test_nothing_is_made_of_a_file_that_is_still_the_same(tmp_path: Path) -> None:
    content = b"def needle(): ...\n"
    (tmp_path / "a.py").write_bytes(content)
    entry = Entry(b"a.py", len(content), b"another stamp")
    known = (source.digest(content), "python", "")
    batch = prepare(tmp_path, [reader.Task(entry, known), reader.Task(entry, (*known[:2], "too large"))])
    same, changed = batch.reads
    assert same is not None
    assert changed is not None
    assert (same.same, len(same.pieces)) == (True, 0)
    assert (changed.same, len(changed.pieces)) == (False, 1)
    assert len(batch.vectors) == 1


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs a regular file that gives EIO: Linux only"
)
def test_a_file_that_can_not_be_read_is_reported_and_tried_again() -> None:
    found = read(Path("/proc/self/mem"))
    assert found is not None
    assert found.file.skipped == "unreadable (Input/output error)"
    assert found.file.stamp == source.YOUNG


def test_a_file_read_within_the_clock_tick_of_its_change_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    young, old = read(tmp_path / "a.py", later_ns=0), read(tmp_path / "a.py")
    assert young is not None
    assert old is not None
    assert young.file.stamp == source.YOUNG
    assert old.file.stamp == source.stamp(os.lstat(tmp_path / "a.py"))
