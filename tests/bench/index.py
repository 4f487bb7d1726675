"""A full index of a tree, beside semble's where one is given: wall time, CPU and peak memory, in turns.

    python tests/bench/index.py --tree PATH [--peer SEMBLE --model FOLDER] [--runs 3]

PATH is a folder with sources; it is copied, and both index the copy from nothing with caches of their own. SEMBLE
is the peer's program (`pip install 'semble==0.7.*'` into an environment of its own), FOLDER a local model in its
format; the weights may be random, the time is the same. The peer takes code only, we take all text. Memory is
summed over the processes of a run, as resident sizes, twenty times a second: what processes share counts for each.
Exits with 1 when a bar is missed. Linux only.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from cidx.repository.repository import FOLDER

TIME_BAR, MEMORY_BAR, SIZE_BAR = 0.5, 1.0, 0.6
STEP_S = 0.05


@dataclass(frozen=True)
class Cost:
    """Of one run with all its processes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--peer", type=Path, help="semble's program")
    parser.add_argument("--model", type=Path, help="a model for it")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as folder:
        place = Path(folder)
        tree = place / "tree"
        shutil.copytree(options.tree, tree, ignore=shutil.ignore_patterns(FOLDER), symlinks=True)
        home = place / "home"
        environment = os.environ | {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "CIDX_LOG": "warning",
        }
        contenders: dict[str, Callable[[], Cost]] = {"cidx": lambda: index(tree, environment)}
        if options.peer is not None:
            environment |= {"HF_HUB_OFFLINE": "1", "SEMBLE_MODEL_NAME": str(options.model)}
            contenders["peer"] = lambda: index_by_peer(options.peer, tree, home, environment)
        costs: dict[str, list[Cost]] = {name: [] for name in contenders}
        for run in range(-1, options.runs):  # the first fills caches of the system
            for name, contender in contenders.items():
                cost = contender()
                if run >= 0:
                    costs[name].append(cost)
        share = size_of(tree / FOLDER / "index") / indexed_bytes(tree)
    return report(costs, share)


def report(costs: dict[str, list[Cost]], share: float) -> int:
    missed = share > SIZE_BAR
    middle = {
        name: Cost(
            statistics.median(c.wall_s for c in found),
            statistics.median(c.cpu_s for c in found),
            round(statistics.median(c.peak_bytes for c in found)),
        )
        for name, found in costs.items()
    }
    for name, cost in middle.items():
        print(f"{name:<8}{cost.wall_s:>8.1f} s wall{cost.cpu_s:>8.1f} s CPU{cost.peak_bytes / 1e6:>8.0f} MB")
    if "peer" in middle:
        ours, peer = middle["cidx"], middle["peer"]
        for what, ratio, bar in (
            ("wall", ours.wall_s / peer.wall_s, TIME_BAR),
            ("CPU", ours.cpu_s / peer.cpu_s, TIME_BAR),
            ("memory", ours.peak_bytes / peer.peak_bytes, MEMORY_BAR),
        ):
            missed |= ratio > bar
            print(f"{what} beside the peer: {ratio:.2f} (bar {bar}) {'missed' if ratio > bar else 'met'}")
    print(
        f"index on disk: {share:.2f} of the indexed bytes (bar {SIZE_BAR}) {'missed' if share > SIZE_BAR else 'met'}"
    )
    return int(missed)


def index(tree: Path, environment: dict[str, str]) -> Cost:
    shutil.rmtree(tree / FOLDER, ignore_errors=True)
    return run([sys.executable, "-m", "cidx", "index"], tree, environment | {"PYTHONPATH": str(CHECKOUT)})


def index_by_peer(program: Path, tree: Path, home: Path, environment: dict[str, str]) -> Cost:
    """It has no command for indexing alone: the first search makes the index."""
    for cache in (home / ".cache/semble").glob("*"):
        if cache.name != "grammars":
            shutil.rmtree(cache) if cache.is_dir() else cache.unlink()
    return run([str(program), "search", "anything", str(tree)], tree, environment)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = [0]
    watching = threading.Thread(target=watch, args=(process, peak))
    watching.start()
    code = process.wait()
    wall_s = time.perf_counter() - began
    watching.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        raise SystemExit(f"{command} ended with {code}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s, peak[0])


def watch(process: "subprocess.Popen[bytes]", peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(resident_bytes, family(process.pid))))
        time.sleep(STEP_S)


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def indexed_bytes(tree: Path) -> int:
    from cidx.repository import repository
    from cidx.store.snapshot import open_current

    with open_current(repository.at(tree, repository.user_folders()).index_folder) as snapshot:
        paths = [path for _, path, _ in snapshot.catalogue.languages()]
    return sum(os.stat(os.path.join(os.fsencode(tree), path)).st_size for path in paths)


if __name__ == "__main__":
    sys.exit(main())
