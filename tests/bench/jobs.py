"""What an index job costs those who search, and what the daemon costs an index: side by side, in one run.

    python tests/bench/jobs.py --tree PATH [--rounds 3]

PATH is a repository; it is copied and not changed. In each round the tree is indexed from nothing by a process of its
own and by the daemon's job, in turns, both as `cidx index`, wall clock. Then somebody asks hybrid queries, each once,
with a pause after each, on one open connection: quietly, and while everything is indexed anew. Exits with 1 when a bar
is missed. A daemon leaves when its code changes on disk, so don't edit `cidx/` meanwhile.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cidx.repository.repository import FOLDER
from tests.bench.daemon import NOT_SOURCE, Table, questions
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

SEARCH_BAR, WALL_BAR = 2.0, 1.1
PAUSE_S = 0.02
QUIET_QUERIES = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True, help="a repository; is not changed")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as place:
        tree = Tree(Path(place), git=False)
        tree.root.rmdir()
        shutil.copytree(
            options.tree, tree.root, symlinks=True, ignore=lambda *a: NOT_SOURCE(*a) | ({FOLDER} & set(a[1]))
        )
        with serving(tree) as daemon:
            measure_indexing(table, tree, daemon, rounds=options.rounds)
            measure_searching(table, daemon)
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"missed: {', '.join(table.missed)}" if table.missed else "every bar is met")
    return int(bool(table.missed))


def measure_indexing(table: Table, tree: Tree, daemon: Daemon, *, rounds: int) -> None:
    walls: dict[str, list[float]] = {"alone": [], "daemon": []}
    for _ in range(rounds):
        for way, taken in walls.items():
            shutil.rmtree(tree.root / FOLDER, ignore_errors=True)
            flags = ["--standalone"] if way == "alone" else []
            started = time.perf_counter()
            ran = tree.process("index", *flags, XDG_RUNTIME_DIR=daemon.runtime)
            taken.append(time.perf_counter() - started)
            assert ran.code == 0, ran
    assert json.loads(daemon.ask("get_status"))["requests"]["index"] == rounds
    alone, by_daemon = (statistics.median(walls[way]) for way in ("alone", "daemon"))
    ratio = by_daemon / alone
    said = f"{by_daemon:.1f} / {alone:.1f} s = {ratio:.2f}"
    table.add("index from nothing, by the daemon / by itself", said, f"{WALL_BAR}", met=ratio <= WALL_BAR)


def measure_searching(table: Table, daemon: Daemon) -> None:
    texts = questions(daemon.tree.root)
    search(daemon, texts, until=lambda asked: asked == 30)
    quiet, _ = search(daemon, texts, until=lambda asked: asked == QUIET_QUERIES)
    json.loads(daemon.ask("index", str(daemon.tree.root), clear=True))
    busy, empty = search(daemon, texts, until=lambda asked: asked % 5 == 0 and not is_indexing(daemon))
    table.add("queries while all is indexed anew", f"{len(busy)}")
    table.add("of which without hits", f"{empty}", "0", met=empty == 0)
    for share in (50, 95, 99):
        before, during = (statistics.quantiles(found, n=100)[share - 1] for found in (quiet, busy))
        ratio = during / before
        said = f"{during:.1f} / {before:.1f} ms = {ratio:.2f}"
        bar = f"{SEARCH_BAR}" if share == 95 else ""
        table.add(f"query p{share}, meanwhile / quietly", said, bar, met=not bar or ratio <= SEARCH_BAR)


def is_indexing(daemon: Daemon) -> bool:
    return bool(json.loads(daemon.ask("get_status"))["jobs"])


def search(daemon: Daemon, texts: Iterator[str], *, until: Callable[[int], bool]) -> tuple[list[float], int]:
    """What each query took in milliseconds, and how many had no hits. A failure ends it all."""
    times, empty = [], 0
    root = str(daemon.tree.root)
    with daemon.connect() as connection:
        ask = connection.root.query_hybrid
        while not until(len(times)):
            text = next(texts)
            started = time.perf_counter()
            said = ask(root, text)
            times.append((time.perf_counter() - started) * 1000)
            answer = json.loads(said)
            assert "error" not in answer, answer
            empty += not answer["hits"]
            time.sleep(PAUSE_S)
    return times, empty


if __name__ == "__main__":
    sys.exit(main())
