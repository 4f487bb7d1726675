"""One file on its way to the store: what is read, what is skipped and why."""

import os
import time
from pathlib import Path

import pytest

from cidx.index import reader
from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings
from cidx.store import source
from cidx.text.tokenizer import TermMemo

LATER_NS = 10**12


def read(
    file: Path, settings: IndexSettings | None = None, *, later_ns: int = LATER_NS
) -> reader.Read | None:
    found = os.lstat(file)
    entry = Entry(os.fsencode(file.name), found.st_size, source.stamp(found))
    wanted = settings or IndexSettings()
    return reader.read(os.fsencode(file.parent), entry, wanted, TermMemo(), now_ns=time.time_ns() + later_ns)


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
    assert piece.body == "def needle return gethttp get http"
    assert piece.words == {"def": 1, "needle": 1, "return": 1, "getHTTP": 1}
    assert piece.key == source.content_key("", (tmp_path / "a.py").read_bytes())
    assert [symbol.name for symbol in found.symbols] == ["needle"]


def test_binary_large_and_unwanted_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n\0")
    assert skipped(tmp_path / "a.py") == "binary"
    (tmp_path / "b.py").write_bytes(b"x = 1\n" * 100)
    assert skipped(tmp_path / "b.py", IndexSettings(max_file_bytes=50)) == "too large"
    assert skipped(tmp_path / "b.py", IndexSettings(languages=("go",))) == "other language"
    wanted = read(tmp_path / "b.py", IndexSettings(languages=("go", "py")))
    assert wanted is not None
    assert wanted.pieces


def test_what_is_gone_or_no_file_is_none(tmp_path: Path) -> None:
    entry = Entry(b"gone", 1, b"")
    settings = IndexSettings()
    assert reader.read(os.fsencode(tmp_path), entry, settings, TermMemo(), now_ns=1) is None
    os.mkfifo(tmp_path / "gone")
    assert reader.read(os.fsencode(tmp_path), entry, settings, TermMemo(), now_ns=1) is None


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
