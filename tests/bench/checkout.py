"""A checkout of 100,000 files: the look at activation, the watcher, and a storm of new files.

    python tests/bench/checkout.py [--files 100000] [--storm 50000]

The first index is made by a daemon that is asked for a word all the while: how soon full text finds anything, and what
the answers say of themselves. Then a look at the tree in this process, as at activation, beside `git status`, in turns;
a watcher in a process of its own; and what a daemon that watches takes of the processor while nothing happens, and
while as many files as in a large `npm install` are written and deleted, in a folder that git ignores and in one that it
does not. Linux only.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cidx.index import freshness
from cidx.index.files import Listing
from cidx.repository.settings import IndexSettings
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

FILES_A_FOLDER = 40
REPEATS = 9
IDLE_S = 20.0
PATIENCE_S = 600.0
LOOK_BAR = 1.5
# In a process of its own: how much larger it is with a watch than before, and what making it took of the processor.
WATCH = """
import os, sys, time
from pathlib import Path
from cidx.index.inotify import Inotify
from cidx.index.watch import Watch
from cidx.repository import repository
def size(): return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
found, before, started = repository.find(Path(sys.argv[1]), repository.user_folders()), size(), time.process_time()
watch = Watch(found)
print(len(watch), size() - before, time.process_time() - started)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--storm", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as place:
        tree = Tree(Path(os.path.realpath(place)))
        plant(tree.root, options.files)
        tree.write({".gitignore": "/ignored/\n"}).commit()
        tree.git("status")
        with serving(tree) as daemon:
            first_index(daemon)
        look(tree)
        watcher(tree)
        with serving(tree) as daemon:
            ask(daemon)
            time.sleep(5)
            idle(daemon)
            for folder in ("ignored", "heard"):
                storm(daemon, tree.root / folder, options.storm)
    print(f"load {os.getloadavg()[0]:.1f}")


def plant(root: Path, files: int, name: str = "thing") -> None:
    for number in range(files):
        folder = root / f"part{number // FILES_A_FOLDER % 50}" / f"deep{number // FILES_A_FOLDER}"
        if number % FILES_A_FOLDER == 0:
            folder.mkdir(parents=True)
        text = f"def {name}_{number}(value):\n    return value + {number}\n"
        (folder / f"{name}{number}.py").write_text(text)


def ask(daemon: Daemon, text: str = "thing_0", method: str = "query_fts") -> Any:
    return json.loads(daemon.ask(method, str(daemon.tree.root), text))


def first_index(daemon: Daemon) -> None:
    """Ask until all is indexed."""
    started = time.perf_counter()
    told: dict[str, float] = {}
    while not (answer := ask(daemon)).get("fresh"):
        found = (
            "no index yet"
            if "error" in answer
            else f"fresh {answer['fresh']}, indexing {answer.get('indexing')}"
        )
        if found not in told:
            told[found] = time.perf_counter() - started
            hits = len(answer.get("hits", ()))
            print(
                f"first index, {told[found]:.1f} s: {found}, {answer.get('changed_files', 0)} to come, {hits} hits"
            )
        assert time.perf_counter() - started < PATIENCE_S, answer
        time.sleep(0.25)
    print(f"first index, {time.perf_counter() - started:.1f} s: fresh, {len(answer['hits'])} hits")


def look(tree: Tree) -> None:
    """As a daemon looks at activation, and `git status`."""
    settings = IndexSettings()

    def ours() -> None:
        with Listing(tree.repository) as listing:
            assert not freshness.look(snapshot, listing, settings)

    with tree.snapshot() as snapshot:
        ways: dict[str, Callable[[], object]] = {"look": ours, "git": lambda: tree.git("status", "--short")}
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPEATS):
            for way, run in ways.items():
                started = time.perf_counter()
                run()
                taken[way].append(time.perf_counter() - started)
    own, git = (statistics.median(taken[way]) for way in ways)
    print(
        f"look at the tree / git status: {own * 1000:.0f} / {git * 1000:.0f} ms = {own / git:.2f} (bar {LOOK_BAR})"
    )


def watcher(tree: Tree) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WATCH, str(tree.root)],
        env=tree.process_environment(PYTHONPATH=str(Path(__file__).resolve().parents[2])),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    print(f"watcher: {said[0]} folders, {int(said[1]) / 1e6:.1f} MB, {float(said[2]):.2f} s CPU to begin")


def idle(daemon: Daemon) -> None:
    before = cpu_s(daemon)
    time.sleep(IDLE_S)
    print(
        f"idle for {IDLE_S:.0f} s: {(cpu_s(daemon) - before) / IDLE_S * 100:.3f} % CPU, {memory_mb(daemon):.0f} MB"
    )


def storm(daemon: Daemon, place: Path, files: int) -> None:
    """Files are written, the daemon catches up, and all are deleted."""
    before, size = cpu_s(daemon), memory_mb(daemon)
    started = time.perf_counter()
    plant(place, files, "storm")
    written_s = time.perf_counter() - started
    at_once = cpu_s(daemon) - before
    caught_up_s = wait(daemon, started)
    caught_up = cpu_s(daemon) - before
    started = time.perf_counter()
    shutil.rmtree(place)
    gone_s = wait(daemon, started)
    print(
        f"{files} files into {place.name}/, written in {written_s:.1f} s: {at_once:.2f} s CPU meanwhile, fresh after "
        f"{caught_up_s:.1f} s and {caught_up:.2f} s CPU; deleted, fresh after {gone_s:.1f} s, "
        f"{cpu_s(daemon) - before:.2f} s CPU in all, memory {size:.0f} -> {memory_mb(daemon):.0f} MB"
    )


def wait(daemon: Daemon, started: float) -> float:
    while not ask(daemon, f"never_{time.perf_counter()}").get("fresh"):
        assert time.perf_counter() - started < PATIENCE_S
        time.sleep(0.25)
    return time.perf_counter() - started


def cpu_s(daemon: Daemon) -> float:
    """Of the daemon's own process: a job's is another."""
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(daemon: Daemon) -> float:
    pages = int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


if __name__ == "__main__":
    main()
