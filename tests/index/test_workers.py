"""Reading in other processes gives what reading here gives, and leaves no process behind."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cidx.index.files import Entry
from cidx.index.reader import Batch, Reader, Task
from cidx.index.workers import Setup, Workers
from cidx.repository.settings import IndexSettings
from cidx.text import embedder


@pytest.fixture
def batches(tmp_path: Path) -> list[list[Task]]:
    """Ten batches of three files, the last of which is gone."""
    tasks = []
    for number in range(30):
        content = f"def needle_{number}():\n    return {number % 7}\n".encode() * (1 + number % 5)
        (tmp_path / f"{number}.py").write_bytes(content)
        tasks.append(Task(Entry(b"%d.py" % number, len(content), b"stamp")))
    (tmp_path / "29.py").unlink()
    return [tasks[start : start + 3] for start in range(0, 30, 3)]


def read_here(root: Path, batches: list[list[Task]]) -> list[Batch]:
    reader = Reader(
        root=os.fsencode(root),
        settings=IndexSettings(),
        embedder=embedder.packaged(),
        known_of=lambda keys: frozenset(),
    )
    return [reader.prepare(batch, now_ns=time.time_ns()) for batch in batches]


def pids_of(workers: Workers) -> list[int]:
    return [worker.pid for worker in workers.workers]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_comes_back_is_what_is_read_here_in_order(tmp_path: Path, batches: list[list[Task]]) -> None:
    time.sleep(0.03)  # a file as young as a clock tick has no stamp
    with Workers(3, Setup(os.fsencode(tmp_path), IndexSettings(), frozenset())) as workers:
        found = list(workers.prepare(batches))
        pids = pids_of(workers)
    for there, here in zip(found, read_here(tmp_path, batches), strict=True):
        assert there.reads == here.reads
        assert there.vectors.keys() == here.vectors.keys()
        assert all(np.array_equal(there.vectors[key], here.vectors[key]) for key in here.vectors)
    assert not any(is_alive(pid) for pid in pids)


def test_what_has_a_vector_gets_no_other(tmp_path: Path, batches: list[list[Task]]) -> None:
    known = frozenset(key for batch in read_here(tmp_path, batches) for key in batch.vectors)
    with Workers(2, Setup(os.fsencode(tmp_path), IndexSettings(), known)) as workers:
        assert not any(batch.vectors for batch in workers.prepare(batches))


def test_a_worker_that_is_killed_is_an_error_and_the_others_go(
    tmp_path: Path, batches: list[list[Task]]
) -> None:
    with Workers(2, Setup(os.fsencode(tmp_path), IndexSettings(), frozenset())) as workers:
        pids = pids_of(workers)
        os.kill(pids[1], 9)
        with pytest.raises(RuntimeError, match="ended with -9"):
            list(workers.prepare(batches))
    assert not any(is_alive(pid) for pid in pids)


def test_a_file_that_a_parser_drowns_in_is_cut_by_lines_and_no_other(
    tmp_path: Path, batches: list[list[Task]]
) -> None:
    """Of a batch that is killed each file is read again; what waits behind it is not lost."""
    lines = 5000
    (tmp_path / "a.java").write_text("%w(\n" * lines)
    hostile = Task(Entry(b"a.java", 4 * lines, b"stamp"))
    time.sleep(0.03)
    given = [[batches[0][0], hostile, *batches[0][1:]], *batches[1:], [hostile]]
    setup = Setup(os.fsencode(tmp_path), IndexSettings(), frozenset(), patience_s=0.3)
    with Workers(1, setup) as workers:
        found = list(workers.prepare(given))
        pids = pids_of(workers)
    here = read_here(tmp_path, batches)
    for batch in (found[0], found[-1]):
        read = next(one for one in batch.reads if one is not None and one.file.path == b"a.java")
        spans = [piece.span for piece in read.pieces]
        assert [span.start_line for span in spans] == [1, *(span.end_line + 1 for span in spans[:-1])]
        assert (spans[-1].end_line, read.file.language, read.symbols) == (lines, "java", ())
        assert {piece.key for piece in read.pieces} <= batch.vectors.keys()
    assert [one for one in found[0].reads if one is None or one.file.path != b"a.java"] == here[0].reads
    assert [batch.reads for batch in found[1:-1]] == [batch.reads for batch in here[1:]]
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory has no bound")
def test_a_file_that_a_parser_takes_gigabytes_for_is_cut_by_lines(tmp_path: Path) -> None:
    """Long before its time is over."""
    lines = 7500
    (tmp_path / "a.java").write_text("%w(\n" * lines)
    (tmp_path / "b.java").write_text("class B {}\n")
    tasks = [Task(Entry(b"a.java", 4 * lines, b"stamp")), Task(Entry(b"b.java", 11, b"stamp"))]
    setup = Setup(os.fsencode(tmp_path), IndexSettings(), frozenset(), patience_s=10_000)
    with Workers(1, setup) as workers:
        [found] = workers.prepare([tasks])
    hostile, other = found.reads
    assert hostile is not None
    assert (hostile.pieces[-1].span.end_line, hostile.symbols) == (lines, ())
    assert other is not None
    assert [symbol.name for symbol in other.symbols] == ["B"]
