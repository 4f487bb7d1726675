"""A daemon under mixed load with edits, for an hour: does its memory grow, does it fail, does it become slower?

    python tests/bench/soak.py [--tree PATH] [--minutes 60] [--rate 20] [--plot FILE.svg]

PATH is a repository, by default this checkout; it is copied and not changed. So many questions a second are asked by
four clients, each a new one, of every kind; every two seconds a file is edited, and now and then one comes or goes;
one question in ten is asked by whoever connects anew.

Exits with 1 when a bar is missed: no errors; memory of the daemon's own grows by at most 1 MB an hour after a warm-up
of a fifth of the time (of half of it, where that is short); p99 ends where it began. A daemon leaves when its code
changes on disk, so don't edit `cidx/` meanwhile.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rpyc.utils.factory import unix_connect

from cidx.daemon.process import private_bytes
from tests.bench.chart import Panel, svg
from tests.bench.daemon import CHECKOUT, explained, questions, workplace
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

CLIENTS = 4
EDIT_S, SAMPLE_S = 2.0, 1.0
GROWTH_BAR_MB, STEADY_BAR = 1.0, 1.5
# What a slope over so short a time can tell: pages come by the dozen.
NOISE_MB = 2.0
MB = 2**20


@dataclass
class Soak:
    """What was seen, in seconds since the start."""

    took: list[tuple[float, float]] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    edits: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> float:
        return time.monotonic() - self.started


@dataclass(frozen=True)
class Result:
    """What it came to."""

    seconds: float
    asked: int
    edits: int
    errors: list[str]
    growth_mb: float
    slope_mb_h: float
    p99_first_ms: float
    p99_last_ms: float

    @property
    def missed(self) -> list[str]:
        found = ["errors"] * bool(self.errors)
        if self.slope_mb_h > GROWTH_BAR_MB and self.growth_mb > NOISE_MB:
            found.append("memory")
        if self.p99_last_ms > STEADY_BAR * self.p99_first_ms + 5:
            found.append("p99")
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, default=CHECKOUT, help="a repository; is not changed")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="questions a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    with workplace(options.tree) as tree:
        soak = run(tree, seconds=options.minutes * 60, rate=options.rate, seed=options.seed, loud=True)
    found = judge(soak)
    print(
        f"{found.seconds / 60:.1f} min: {found.asked} questions, {found.edits} edits, {len(found.errors)} errors;"
        f" memory {found.slope_mb_h:+.2f} MB/h ({found.growth_mb:+.2f} MB) after the warm-up;"
        f" p99 {found.p99_first_ms:.0f} ms in the first third, {found.p99_last_ms:.0f} ms in the last"
    )
    for error in found.errors[:10]:
        print(f"    {error}")
    if options.plot:
        options.plot.write_text(plot(soak, found))
    print(f"missed: {', '.join(found.missed)}" if found.missed else "every bar is met")
    return int(bool(found.missed))


def run(
    tree: Tree,
    *,
    seconds: float,
    rate: float,
    seed: int = 1,
    loud: bool = False,
    begun: Callable[[Daemon], None] | None = None,
) -> Soak:
    """Load for so long; `begun` is told of the daemon."""
    texts = questions(tree.root)
    lock = threading.Lock()

    def next_text() -> str:
        with lock:
            return next(texts)

    with serving(tree) as daemon, explained(daemon):
        daemon.ask("query_hybrid", str(tree.root), next_text())
        if begun is not None:
            begun(daemon)
        soak = Soak()
        threads = [
            threading.Thread(
                target=ask, args=(soak, daemon, random.Random(seed + n), rate / CLIENTS, next_text)
            )
            for n in range(CLIENTS)
        ]
        threads.append(threading.Thread(target=edit, args=(soak, tree, random.Random(seed))))
        for thread in threads:
            thread.start()
        try:
            next_word = 60.0
            while soak.now < seconds and daemon.process.poll() is None:
                soak.memory.append((soak.now, private_bytes(daemon.process.pid) / MB))
                if loud and soak.now > next_word:
                    print(
                        f"{soak.now / 60:.0f} min, {len(soak.took)} asked, {soak.memory[-1][1]:.1f} MB",
                        flush=True,
                    )
                    next_word += 300
                time.sleep(SAMPLE_S)
            if daemon.process.poll() is not None:
                soak.errors.append(f"the daemon ended with {daemon.process.returncode}")
        finally:
            soak.stopped.set()
            for thread in threads:
                thread.join()
    return soak


def ask(soak: Soak, daemon: Daemon, dice: random.Random, rate: float, next_text: Callable[[], str]) -> None:
    """Questions at a steady rate, however long the answers take."""
    root, due = str(daemon.tree.root), soak.now + dice.random() / rate
    connection = unix_connect(daemon.path)
    while not soak.stopped.wait(max(0.0, due - soak.now)):
        due = max(due + dice.expovariate(rate), soak.now - 5)
        started = soak.now
        try:
            if dice.random() < 0.1:
                connection.close()
                connection = unix_connect(daemon.path)
            text = next_text()
            kind = dice.random()
            if kind < 0.6:
                said = connection.root.query_hybrid(root, text, limit=10)
            elif kind < 0.75:
                said = connection.root.query_fts(root, text, limit=50)
            elif kind < 0.85:
                said = connection.root.query_hybrid(root, text, path_filter="**/*.py")
            elif kind < 0.95:
                said = connection.root.symbols(root, text.split()[0])
            else:
                said = connection.root.query_fts(
                    root, rf"def \w*{text.split()[0][:4]}\w*", regex=True, limit=20
                )
            found = json.loads(said)
            if "error" in found:
                soak.errors.append(f"{text}: {found['error']}")
        except Exception as error:
            soak.errors.append(repr(error))
        soak.took.append((started, soak.now - started))
    connection.close()


def edit(soak: Soak, tree: Tree, dice: random.Random) -> None:
    """One file after the other changes a little; the copy is as large afterwards as before."""
    files = sorted(tree.root.rglob("*.py"))[:400]
    originals = {file: file.read_bytes() for file in files if file.stat().st_size < 200_000}
    paths = list(originals)
    while not soak.stopped.wait(EDIT_S):
        file = dice.choice(paths)
        number = dice.randrange(10**6)
        kind = dice.random()
        if kind < 0.1 and file.exists():
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(originals[file] + f"\n\ndef soaked_{number}():\n    return {number}\n".encode())
        soak.edits += 1


def judge(soak: Soak) -> Result:
    seconds = soak.memory[-1][0]
    warm = seconds * (0.2 if seconds > 1000 else 0.5)
    later = [(at, used) for at, used in soak.memory if at >= warm]
    thirds = [
        [took for at, took in soak.took if low * seconds / 3 <= at < (low + 1) * seconds / 3]
        for low in (0, 2)
    ]
    slope = _slope(later) * 3600
    return Result(
        seconds=seconds,
        asked=len(soak.took),
        edits=soak.edits,
        errors=soak.errors,
        growth_mb=slope * (seconds - warm) / 3600,
        slope_mb_h=slope,
        p99_first_ms=_percentile(thirds[0], 0.99) * 1000,
        p99_last_ms=_percentile(thirds[1], 0.99) * 1000,
    )


def plot(soak: Soak, found: Result) -> str:
    """Memory and latencies over time."""
    step = max(1.0, found.seconds / 120)
    percentiles: dict[str, list[tuple[float, float]]] = {"p50": [], "p99": []}
    for start, took in _windows(soak.took, step):
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            percentiles[name].append(((start + step / 2) / 60, _percentile(took, share) * 1000))
    memory = [(at / 60, used) for at, used in soak.memory]
    title = f"{found.asked} questions and {found.edits} edits in {found.seconds / 60:.0f} minutes"
    panels = [
        Panel("memory of the daemon's own, MB", {"memory": memory}),
        Panel("latency, ms", percentiles),
    ]
    return svg(title, panels, axis="min")


def _windows(took: Sequence[tuple[float, float]], step: float) -> Iterator[tuple[float, list[float]]]:
    by_window: dict[int, list[float]] = {}
    for at, seconds in took:
        by_window.setdefault(int(at / step), []).append(seconds)
    for number in sorted(by_window):
        yield number * step, by_window[number]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    sys.exit(main())
