"""Ways of finding near vectors, side by side: every row, rows chosen by their signs, a graph.

    python tests/bench/vectors.py                         34,000, 100,000 and 500,000 made-up rows of 256 dimensions
    python tests/bench/vectors.py --rows 100000           only so many
    python tests/bench/vectors.py --index .code-indexer/index   the rows of a real index

Made-up rows are a mixture of Gaussians on two levels, about forty rows a cluster, those of a cluster side by side
as the chunks of a file are; queries are noisy points of its clusters. For a real index they are the words of symbols
and headers. One thread. The ratio is to scoring every row, queries taken in turn. Building a graph of 500,000 rows
takes minutes and about a gigabyte of memory.
"""

import os
import resource

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from cidx.store import graph, layout
from cidx.store.snapshot import open_current
from cidx.store.vectors import Probe, Vectors, VectorWriter

DIMENSIONS, WIDTH, EDITS = 256, 300, 1000
Near = Callable[[Probe], "np.ndarray | None"]

# What a process of one query pays, imports aside: open, find, score.
ONE_SHOT = """
import sys, time; sys.path[:0] = [sys.argv[1]]
from pathlib import Path
import numpy as np
from cidx.store import graph, layout
from cidx.store.vectors import Vectors
started = time.perf_counter()
base, way = layout.Base(Path(sys.argv[2])), sys.argv[4]
vectors = Vectors(base.vectors, int(sys.argv[3]))
probe = vectors.probe(np.frombuffer(sys.stdin.buffer.read(), dtype=np.float32))
near = None
if way == "signs":
    near = vectors.candidates(probe, width=300)
elif way == "graph":
    near = graph.Graph(base.graph, vectors).candidates(probe, width=300)
vectors.scores(probe, near)
print((time.perf_counter() - started) * 1e3)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, action="append", help="how many made-up rows")
    parser.add_argument("--index", type=Path, help="a folder with `current` in it, which is only read")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument(
        "--keep", type=Path, help="keep made-up rows and graphs here, and take them from here"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cidx-vectors-") as place:
        folder = options.keep or Path(place)
        if options.index is not None:
            with open_current(options.index) as snapshot:
                base = layout.Base(Path(place))
                base.vectors.symlink_to(snapshot.base.vectors)
                compare(base, snapshot.vectors, asked(options.index, options.queries))
            return 0
        for rows in options.rows or [34_000, 100_000, 500_000]:
            base = layout.Base(folder / str(rows))
            vectors, queries = made(base, rows, options.queries)
            compare(base, vectors, queries)
            edit(base, vectors, queries)
    return 0


def compare(base: layout.Base, vectors: Vectors, queries: np.ndarray) -> None:
    built_s = built(base, vectors)
    found = graph.find(base, vectors)
    print(f"\n{len(vectors)} rows, {vectors.size_bytes / 1e6:.0f} MB mapped")
    ways: dict[str, Near] = {
        "every row": lambda _: None,
        "signs": lambda probe: vectors.candidates(probe, width=WIDTH),
    }
    if found is not None:
        print(f"graph: {found.size_bytes / 1e6:.0f} MB mapped, built in {built_s:.0f} s")
        ways["graph"] = lambda probe: found.candidates(probe, width=WIDTH)
    probes = [vectors.probe(query) for query in queries]
    started = time.perf_counter()
    vectors.candidates(probes[0], width=WIDTH)
    print(
        f"signs: {len(vectors) * DIMENSIONS / 8e6:.1f} MB private, made in {ms(started):.0f} ms by the first query"
    )
    floats = vectors.units(np.arange(len(vectors))) if len(vectors) <= 100_000 else None
    took: dict[str, list[float]] = {way: [] for way in (*ways, "a copy in float32")}
    recalls: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for probe, query in zip(probes, queries, strict=True):
        best = np.argsort(-vectors.scores(probe), kind="stable")[:WIDTH]
        for way, near in ways.items():
            started = time.perf_counter()
            among = near(probe)
            vectors.scores(probe, among)
            took[way].append(ms(started))
            held = np.ones(WIDTH) if among is None else np.isin(best, among)
            recalls[way].append((held[:10].mean(), held.mean()))
        if floats is not None:
            started = time.perf_counter()
            floats @ query
            took["a copy in float32"].append(ms(started))
    base_ms = statistics.median(took["every row"])
    cold = one_shot(base, vectors, queries[:7], list(ways))
    print(
        f"{'':18} {'p50 ms':>7} {'p95 ms':>7} {'ratio':>6} {'recall@10':>10} {'@300':>6} {'one-shot ms':>12}"
    )
    for way, times in took.items():
        if not times:
            continue
        p50, p95 = statistics.median(times), np.quantile(times, 0.95)
        line = f"{way:18} {p50:7.2f} {p95:7.2f} {p50 / base_ms:6.2f}"
        if way in recalls:
            ten, all_ = np.mean(recalls[way], axis=0)
            line += f" {ten:10.3f} {all_:6.3f} {cold[way]:12.1f}"
        print(line, flush=True)


def edit(base: layout.Base, vectors: Vectors, queries: np.ndarray) -> None:
    """How much of the best ten is found along a graph whose rows have been edited since."""
    random = np.random.default_rng(2)
    old, new = random.permutation(len(vectors))[:EDITS], random.permutation(len(vectors))[:EDITS]
    writer = VectorWriter(base.vectors, dimensions=DIMENSIONS, count=len(vectors))
    writer.append(unit(vectors.units(new) + 0.02 * noise(random, EDITS)))
    writer.close()
    edited = Vectors(base.vectors, len(vectors) + EDITS)
    alive = np.ones(len(edited), dtype=bool)
    alive[old] = False
    found = graph.find(base, edited)
    shares = []
    for query in queries if found is not None else []:
        probe = edited.probe(query)
        order = np.argsort(-edited.scores(probe), kind="stable")
        near = found.candidates(probe, width=WIDTH)
        shares.append(1.0 if near is None else np.isin(order[alive[order]][:10], near).mean())
    if shares:
        print(f"graph after {EDITS} edits: recall@10 {np.mean(shares):.3f}")


def one_shot(base: layout.Base, vectors: Vectors, queries: np.ndarray, ways: list[str]) -> dict[str, float]:
    """The median over processes that each answer one query, taken in turn; files are in the page cache."""
    took: dict[str, list[float]] = {way: [] for way in ways}
    for query in queries:
        for way in ways:
            command = [sys.executable, "-c", ONE_SHOT, str(Path(__file__).parents[2]), str(base.folder)]
            done = subprocess.run(
                [*command, str(len(vectors)), way], input=query.tobytes(), capture_output=True, check=True
            )
            took[way].append(float(done.stdout))
    return {way: statistics.median(times) for way, times in took.items()}


def built(base: layout.Base, vectors: Vectors) -> float:
    started = time.perf_counter()
    if graph.find(base, vectors) is None:
        why = (
            graph.build(base, vectors, report=lambda _: None, cancelled=threading.Event())
            if graph.is_possible()
            else "hnswlib is not installed"
        )
        print(f"no graph: {why}" if why else f"built with at most {children_mb():.0f} MB")
    return time.perf_counter() - started


def children_mb() -> float:
    """The most memory that a child had, on Linux."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3


def made(base: layout.Base, rows: int, queries: int) -> tuple[Vectors, np.ndarray]:
    """Made-up rows and queries; a seed makes the same ones each time."""
    random = np.random.default_rng(1)
    tops = random.normal(size=(max(20, rows // 2500), DIMENSIONS)).astype(np.float32)
    count = max(50, rows // 40)
    middles = tops[random.integers(len(tops), size=count)] + 0.9 * noise(random, count)
    asked = middles[random.integers(count, size=queries)] + 1.8 * noise(random, queries)
    if not base.vectors.exists():
        base.folder.mkdir(parents=True, exist_ok=True)
        of = np.sort(random.integers(count, size=rows))
        writer = VectorWriter(base.vectors, dimensions=DIMENSIONS, count=0)
        for start in range(0, rows, 20_000):
            centres = middles[of[start : start + 20_000]]
            writer.append(unit(centres + noise(random, len(centres))))
        writer.close()
    return Vectors(base.vectors, rows), unit(asked)


def asked(index: Path, count: int) -> np.ndarray:
    from cidx.text import embedder
    from cidx.text.tokenizer import words

    with open_current(index) as snapshot:
        named = [chunk.span for chunk in snapshot.catalogue.all_chunks() if chunk.span.symbol]
    chosen = np.random.default_rng(1).permutation(len(named))[:count]
    texts = [f"{named[n].header} {named[n].symbol}" for n in chosen]
    found = embedder.packaged().embed([dict.fromkeys(list(words(text))[:6], 1) for text in texts])
    return found[found.any(axis=1)]


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    return random.normal(size=(count, DIMENSIONS)).astype(np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def ms(started: float) -> float:
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    sys.exit(main())
