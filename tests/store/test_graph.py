"""Graphs of vectors: near rows are found without looking at most, and no graph at all is no fault."""

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cidx.store import graph, layout, seal
from cidx.store.graph import Graph
from cidx.store.vectors import Vectors, VectorWriter

ROOT = Path(__file__).parents[2]
DIMENSIONS, ROWS, WIDTH = 32, 4_000, 50

needs_hnswlib = pytest.mark.skipif(
    importlib.util.find_spec("hnswlib") is None, reason="hnswlib is not installed"
)


def clustered(count: int, *, seed: int) -> np.ndarray:
    """Unit vectors in clusters within clusters, those of a cluster side by side, as the chunks of a file are."""
    random = np.random.default_rng(seed)
    tops = random.normal(size=(20, DIMENSIONS))
    middles = tops[random.integers(20, size=300)] + 0.9 * random.normal(size=(300, DIMENSIONS))
    raw = middles[np.sort(random.integers(300, size=count))] + random.normal(size=(count, DIMENSIONS))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def queries(count: int = 40) -> list[np.ndarray]:
    noisy = clustered(ROWS, seed=1)[:: ROWS // count]
    noisy = noisy + 0.15 * np.random.default_rng(2).normal(size=noisy.shape).astype(np.float32)
    return list((noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32))


def append(base: layout.Base, vectors: np.ndarray, *, count: int) -> Vectors:
    writer = VectorWriter(base.vectors, dimensions=DIMENSIONS, count=count)
    writer.append(vectors)
    writer.close()
    return Vectors(base.vectors, count + len(vectors))


def build(base: layout.Base, vectors: Vectors, **options: object) -> str:
    settings = {"report": lambda _: None, "cancelled": threading.Event()} | options
    return graph.build(base, vectors, **settings)  # type: ignore[arg-type]


def renew(base: layout.Base, vectors: Vectors, *, worth_rows: int) -> tuple[str, bool]:
    """What it says, and whether something was built."""
    before = base.graph.stat().st_ino if base.graph.exists() else None
    why = graph.renew(
        base, vectors, report=lambda _: None, cancelled=threading.Event(), worth_rows=worth_rows
    )
    return why, base.graph.exists() and base.graph.stat().st_ino != before


def recall(vectors: Vectors, found: Graph, *, alive: np.ndarray | None = None) -> float:
    """The share of the ten nearest that are among the candidates."""
    shares = []
    for query in queries():
        probe = vectors.probe(query)
        scores = vectors.scores(probe)
        order = np.argsort(-scores, kind="stable")
        best = (order if alive is None else order[alive[order]])[:10]
        near = found.candidates(probe, width=WIDTH)
        assert near is not None
        shares.append(np.isin(best, near).mean())
    return float(np.mean(shares))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> layout.Base:
    """Vectors with a graph; for looking at only."""
    base = layout.Base(tmp_path_factory.mktemp("made"))
    assert build(base, append(base, clustered(ROWS, seed=1), count=0)) == ""
    return base


@pytest.fixture
def base(made: layout.Base, tmp_path: Path) -> layout.Base:
    """The same, to be changed."""
    for file in (made.vectors, made.graph):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return layout.Base(tmp_path)


@needs_hnswlib
def test_the_nearest_are_among_the_candidates(made: layout.Base) -> None:
    vectors = Vectors(made.vectors, ROWS)
    found = Graph(made.graph, vectors)
    assert recall(vectors, found) >= 0.98
    near = found.candidates(vectors.probe(queries()[0]), width=WIDTH)
    assert near is not None
    assert len(near) == len(np.unique(near)) <= 2 * max(WIDTH, 100)


@needs_hnswlib
def test_more_effort_looks_at_more_rows(made: layout.Base) -> None:
    vectors = Vectors(made.vectors, ROWS)
    found = Graph(made.graph, vectors)
    for query in queries(5):
        looked_at = [
            len(near)
            for effort in (0.5, 1.0, 4.0)
            if (near := found.candidates(vectors.probe(query), width=WIDTH, effort=effort)) is not None
        ]
        assert looked_at == sorted(looked_at)
        assert looked_at[0] < looked_at[-1]


@needs_hnswlib
def test_it_finds_the_same_after_a_thousand_edits(base: layout.Base) -> None:
    """The rows of edited chunks are passed over, and the tail holds the new ones."""
    vectors = append(base, clustered(1000, seed=9), count=ROWS)
    alive = np.ones(len(vectors), dtype=bool)
    alive[np.random.default_rng(3).permutation(ROWS)[:1000]] = False
    assert recall(vectors, Graph(base.graph, vectors), alive=alive) >= 0.98


@needs_hnswlib
def test_every_process_and_every_thread_finds_the_same(made: layout.Base) -> None:
    """Neither what was asked before nor who asks at the same time makes a difference."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import numpy as np;"
        "from cidx.store.vectors import Vectors; from cidx.store.graph import Graph;"
        f"v = Vectors(Path(sys.argv[2]), {ROWS}); g = Graph(Path(sys.argv[3]), v);"
        "q = np.frombuffer(sys.stdin.buffer.read(), dtype=np.float32);"
        f"print(*g.candidates(v.probe(q), width={WIDTH})); print('hnswlib' in sys.modules)"
    )
    query = queries()[7]
    done = subprocess.run(
        [sys.executable, "-c", program, ROOT, made.vectors, made.graph],
        input=query.tobytes(),
        capture_output=True,
        check=True,
    )
    alone, loaded = done.stdout.decode().splitlines()
    assert loaded == "False"
    vectors = Vectors(made.vectors, ROWS)
    found = Graph(made.graph, vectors)
    said: list[list[int]] = []

    def ask() -> None:
        for other in queries()[:10]:
            found.candidates(vectors.probe(other), width=WIDTH)
        near = found.candidates(vectors.probe(query), width=WIDTH)
        assert near is not None
        said.append(near.tolist())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [[int(row) for row in alone.split()]] * 4


@needs_hnswlib
def test_who_wants_most_of_them_looks_at_all(made: layout.Base) -> None:
    vectors = Vectors(made.vectors, ROWS)
    found = Graph(made.graph, vectors)
    for width in (ROWS // 3, ROWS, 10 * ROWS):
        assert found.candidates(vectors.probe(queries()[0]), width=width) is None


@needs_hnswlib
def test_damage_anywhere_is_noticed_and_costs_no_answer(base: layout.Base) -> None:
    """A flipped bit or a cut: at opening, or when it is met, or when all is read; never a wrong row."""
    vectors = Vectors(base.vectors, ROWS)
    whole = base.graph.read_bytes()
    random = np.random.default_rng(5)
    places = [*range(0, 64, 3), *random.integers(64, len(whole), size=40)]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << int(random.integers(8))
        base.graph.write_bytes(data)
        assert graph.damage(base, vectors), place
        found = graph.find(base, vectors)
        for query in queries(5) if found is not None else []:
            near = found.candidates(vectors.probe(query), width=WIDTH)  # type: ignore[union-attr]
            assert near is None or (near < ROWS).all()
    for size in (0, 10, 64, len(whole) // 2, len(whole) - 1):
        base.graph.write_bytes(whole[:size])
        assert graph.find(base, vectors) is None
    base.graph.write_bytes(whole + b"x")
    assert graph.find(base, vectors) is None


@needs_hnswlib
def test_a_damaged_link_that_is_met_ends_the_use_of_the_graph(base: layout.Base) -> None:
    data = np.frombuffer(base.graph.read_bytes(), dtype=np.uint8).copy()
    data[64 : 64 + ROWS * 132 : 4] ^= 1
    base.graph.write_bytes(data.tobytes())
    vectors = Vectors(base.vectors, ROWS)
    found = Graph(base.graph, vectors)
    assert all(found.candidates(vectors.probe(query), width=WIDTH) is None for query in queries(3))


@needs_hnswlib
def test_a_graph_of_other_vectors_is_refused(base: layout.Base) -> None:
    other = append(base, clustered(ROWS, seed=4), count=0)
    with pytest.raises(ValueError, match="other vectors"):
        Graph(base.graph, other)


@needs_hnswlib
def test_rows_that_a_reader_does_not_count_yet_are_not_found(base: layout.Base) -> None:
    assert graph.find(base, Vectors(base.vectors, ROWS - 1)) is None


@needs_hnswlib
def test_it_is_built_where_it_pays_and_again_when_most_is_new(base: layout.Base) -> None:
    base.graph.unlink()
    vectors = Vectors(base.vectors, ROWS)
    assert renew(base, vectors, worth_rows=ROWS + 1) == ("", False)
    assert renew(base, vectors, worth_rows=ROWS) == ("", True)
    assert renew(base, vectors, worth_rows=ROWS) == ("", False)
    vectors = append(base, clustered(300, seed=6), count=ROWS)
    assert renew(base, vectors, worth_rows=ROWS) == ("", False)
    vectors = append(base, clustered(300, seed=7), count=ROWS + 300)
    assert renew(base, vectors, worth_rows=ROWS) == ("", True)
    assert Graph(base.graph, vectors).rows == ROWS + 600
    vectors = append(base, clustered(1500, seed=8), count=ROWS + 600)
    assert Graph(base.graph, vectors).candidates(vectors.probe(queries()[0]), width=WIDTH) is None


@needs_hnswlib
def test_a_damaged_graph_is_built_anew(base: layout.Base) -> None:
    data = bytearray(base.graph.read_bytes())
    data[-1] ^= 1
    base.graph.write_bytes(data)
    assert renew(base, Vectors(base.vectors, ROWS), worth_rows=ROWS) == ("", True)
    assert graph.damage(base, Vectors(base.vectors, ROWS)) == ""


@needs_hnswlib
def test_a_seal_holds_with_and_without_a_graph(base: layout.Base) -> None:
    """What comes between two writers is no damage to what they wrote."""
    seal.make(base)
    base.graph.unlink()
    (base.folder / layout.NEW_GRAPH).write_bytes(b"half")
    assert seal.damage(base) == ""


@needs_hnswlib
def test_an_interrupted_build_leaves_what_was_there(base: layout.Base) -> None:
    before = base.graph.read_bytes()
    cancelled = threading.Event()
    vectors = append(base, clustered(20_000, seed=6), count=ROWS)
    why = build(base, vectors, report=lambda _: cancelled.set(), cancelled=cancelled)
    assert (why, base.graph.read_bytes() == before) == ("it was interrupted", True)
    assert sorted(os.listdir(base.folder)) == ["graph", "graph.lock", "vectors"]


@needs_hnswlib
def test_a_killed_build_is_told_and_the_next_succeeds(base: layout.Base) -> None:
    vectors = Vectors(base.vectors, ROWS)
    killed: list[int] = []

    def kill(_: int) -> None:
        if not killed:
            killed.extend(builders(base))
            os.kill(killed[0], signal.SIGKILL)

    assert "ended with -9" in build(base, vectors, report=kill)
    assert build(base, vectors) == ""


def builders(base: layout.Base) -> list[int]:
    """The processes that build a graph for this base."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = entry.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if b"; serve_build(*" in line and os.fsencode(base.folder) in line:
            found.append(int(entry.name))
    return found


@needs_hnswlib
def test_the_process_that_builds_ends_with_the_one_that_wanted_it(base: layout.Base) -> None:
    append(base, clustered(40_000, seed=6), count=ROWS)
    program = (
        "import sys, threading; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from cidx.store import graph, layout; from cidx.store.vectors import Vectors;"
        f"b = layout.Base(Path(sys.argv[2])); v = Vectors(b.vectors, {ROWS + 40_000});"
        "graph.build(b, v, report=lambda n: print(n, flush=True), cancelled=threading.Event())"
    )
    command = [sys.executable, "-c", program, ROOT, base.folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (builder,) = builders(base)
        parent.kill()
    deadline = time.monotonic() + 10
    while builder in builders(base) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert builder not in builders(base)


@needs_hnswlib
@pytest.mark.parametrize("room_bytes", [0, 100_000, 600_000])
def test_a_disk_without_room_is_told_and_keeps_the_old_graph(base: layout.Base, room_bytes: int) -> None:
    """hnswlib itself says nothing when what it saves is cut short."""
    before = base.graph.read_bytes()
    program = (
        "import resource, sys, threading; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room_bytes}, {room_bytes}));"
        "from cidx.store import graph, layout; from cidx.store.vectors import Vectors;"
        f"b = layout.Base(Path(sys.argv[2])); v = Vectors(b.vectors, {ROWS});"
        "print(graph.build(b, v, report=lambda n: None, cancelled=threading.Event()))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, ROOT, base.folder], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
    assert base.graph.read_bytes() == before
    assert sorted(os.listdir(base.folder)) == ["graph", "graph.lock", "vectors"]


@needs_hnswlib
def test_only_one_builds(base: layout.Base) -> None:
    with (base.folder / "graph.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another process" in build(base, Vectors(base.vectors, ROWS))


@needs_hnswlib
def test_a_base_that_is_gone_is_told(base: layout.Base) -> None:
    vectors = Vectors(base.vectors, ROWS)
    for file in base.folder.iterdir():
        file.unlink()
    base.folder.rmdir()
    assert build(base, vectors) == "No such file or directory"


def test_without_hnswlib_nothing_is_built_and_nothing_fails(tmp_path: Path) -> None:
    """Hidden in a process of its own; a graph that somebody else built is used all the same."""
    base = layout.Base(tmp_path)
    append(base, clustered(ROWS, seed=1), count=0)
    program = (
        "import sys, threading; sys.path.insert(0, sys.argv[1]);"
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'hnswlib' else find(name, *a);"
        "sys.modules['hnswlib'] = None; from pathlib import Path;"
        "from cidx.store import graph, layout; from cidx.store.vectors import Vectors;"
        f"b = layout.Base(Path(sys.argv[2])); v = Vectors(b.vectors, {ROWS});"
        "ask = dict(report=print, cancelled=threading.Event());"
        "print([graph.renew(b, v, worth_rows=10, **ask), b.graph.exists(), graph.is_possible()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, ROOT, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['', False, False]\n"


def test_a_row_that_no_link_leads_to_is_found(tmp_path: Path) -> None:
    """Such rows are where walks begin; hnswlib leaves some. Reading a graph takes no hnswlib."""
    base = layout.Base(tmp_path)
    vectors = append(base, clustered(ROWS, seed=1), count=0)
    lonely = np.arange(17, ROWS, 100)
    links = np.repeat(np.arange(ROWS)[:, None], 32, axis=1)
    others = np.setdiff1d(np.arange(ROWS), lonely)
    links[others, :31] = others[(np.arange(len(others))[:, None] + np.arange(1, 32)) % len(others)]
    graph._write(base.graph, vectors, links.astype(np.int32))
    found = Graph(base.graph, vectors)
    for row in lonely:
        near = found.candidates(vectors.probe(vectors.units(np.array([row]))[0]), width=WIDTH)
        assert near is not None
        assert row in near
