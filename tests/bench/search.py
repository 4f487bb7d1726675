"""Queries in the process, by kind: words, one symbol, words with a name among them; beside semble's where one is given.

    python tests/bench/search.py --tree PATH [--queries 200] [--mode hybrid] [--peer PYTHON --model FOLDER]

PATH is a tree with an index, which is brought up to date. The queries are made from its own definitions, the same ones
on every run, and none is asked twice. PYTHON is the interpreter of an environment with semble, FOLDER a local model
for it. Times are of one thread, from the text of a query to its ten hits with their lines: wall clock (p50, p99) and,
for a machine that is shared, CPU (p50). The parts are medians.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

from cidx.api.query import Mode, Query
from cidx.repository import repository as repositories
from cidx.repository.repository import UserFolders
from cidx.search.laps import Laps
from cidx.search.retrieve import retrieve
from cidx.store.snapshot import Snapshot, open_current
from cidx.text import embedder
from cidx.text.tokenizer import terms

SEED = 7
WARM = 20
PEER = """
import json, sys, time
from semble import SembleIndex
index = SembleIndex.from_path(sys.argv[1])
for kind, texts in json.load(sys.stdin).items():
    took = []
    for text in texts:
        wall, cpu = time.perf_counter(), time.process_time()
        index.search(text, top_k=10)
        took.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)))
    print(json.dumps([kind, took]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    parser.add_argument("--mode", choices=["hybrid", "semantic", "fts"], default="hybrid")
    parser.add_argument("--peer", type=Path, help="a python with semble")
    parser.add_argument("--model", type=Path, help="a model for it")
    options = parser.parse_args()

    home = Path.home()
    users = UserFolders(home=home, config=home / ".config" / "cidx", cache=home / ".cache" / "cidx")
    repository = repositories.find(options.tree.resolve(), users)
    command = [sys.executable, "-m", "cidx", "-C", str(repository.root), "index"]
    checkout = str(Path(__file__).resolve().parents[2])
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": checkout})
    with open_current(repository.index_folder) as snapshot:
        files, chunks = snapshot.catalogue.counts()
        asked = made(snapshot, options.queries)
        print(f"{chunks} chunks of {files} files, {options.mode}")
        for kind, texts in asked.items():
            report(kind, *measured(snapshot, texts, repository.root, Mode(options.mode)))
    if options.peer:
        environment = os.environ | ({"SEMBLE_MODEL_NAME": str(options.model)} if options.model else {})
        done = subprocess.run(
            [options.peer, "-c", PEER, str(repository.root)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        print("semble")
        for line in done.stdout.splitlines():
            kind, took = json.loads(line)
            report(kind, took, {})
    return 0


def made(snapshot: Snapshot, count: int) -> dict[str, list[str]]:
    """Queries that somebody could ask of this tree."""
    chosen = random.Random(SEED)
    named = sorted({(symbol.name, symbol.path) for _, symbol in snapshot.catalogue.symbols()})
    chosen.shuffle(named)
    found: dict[str, list[str]] = defaultdict(list)
    for (name, _), (_, path), (_, other) in zip(named, named[1:], named[2:], strict=False):
        said = list(dict.fromkeys([*plain(path), *plain(other)]))[:5]
        if len(said) < 3 or not name.isidentifier():
            continue
        found["symbol"].append(name)
        found["words"].append(" ".join(said))
        found["mixed"].append(" ".join(["how", name, *said[:3]]))
        if len(found["words"]) == count:
            break
    return {kind: found[kind] for kind in ("words", "symbol", "mixed")}


def plain(path: str) -> Iterator[str]:
    for word in path.replace(".", " ").split():
        found = terms(word)
        yield from (part for part in found[1:] or found if len(part) > 2)


def measured(
    snapshot: Snapshot, texts: list[str], root: Path, mode: Mode
) -> tuple[list[tuple[float, float]], dict[str, float]]:
    model = embedder.packaged()
    took, laps = [], defaultdict(list)
    for number, text in enumerate([*texts[:WARM], *texts]):
        parts = Laps()
        wall, cpu = time.perf_counter(), time.thread_time()
        retrieve(snapshot, Query(text=text, mode=mode), embedder=model, root=root, laps=parts)
        if number >= WARM:
            took.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.thread_time() - cpu)))
            for name, ms in parts.times_ms.items():
                laps[name].append(ms)
    return took, {name: statistics.median(its) for name, its in laps.items()}


def report(kind: str, took: list[tuple[float, float]], parts: dict[str, float]) -> None:
    walls = sorted(wall for wall, _ in took)
    cpu = statistics.median(cpu for _, cpu in took)
    p99 = walls[min(len(walls) - 1, int(len(walls) * 0.99))]
    shown = ", ".join(f"{name} {ms:.2f}" for name, ms in parts.items())
    print(f"{kind:8} p50 {statistics.median(walls):6.2f} ms  p99 {p99:6.2f} ms  CPU {cpu:6.2f} ms  {shown}")


if __name__ == "__main__":
    sys.exit(main())
