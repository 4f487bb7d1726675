"""The bars of the in-process mode, measured side by side with a bare interpreter and the bare imports.

    python tests/bench/bars.py [--tree PATH] [--runs 9] [--full-runs 3]

PATH is the unpacked source package of Django 5.2; without it, pip fetches it once into the user's cache.
Everything happens in a copy of the tree, as a git repository of one commit. Exits with 1 when a bar is
missed. Runs of the things compared take turns, so that a noisy machine is noisy for all of them.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import platformdirs

from cidx.repository.repository import FOLDER, INDEX, index_bytes
from cidx.store import layout
from cidx.store.snapshot import open_current
from tests.kit import GIT_ENVIRONMENT

PACKAGE, ARCHIVE = "Django==5.2", "[Dd]jango-5.2.tar.gz"
EDITED = Path("django/db/models/query.py")
QUERY = "how does a queryset clone itself"

PASS, IMPORTS = "python -c pass", "import click, numpy, tantivy, sqlite3"
SEARCH, EDIT, PUBLISH = "cidx query", "cidx index, one file edited", "  of which publishing"
IDLE, EDIT_SEARCH, FULL, FULL_CPU = (
    "cidx index, nothing changed",
    "cidx query, one file edited",
    "cidx index, all",
    "  its CPU",
)
BARS_S = {SEARCH: 0.5, EDIT: 0.5, PUBLISH: 0.2}


@dataclass
class Measured:
    """Seconds by what was measured, in the order of the table."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def missed(self) -> list[str]:
        return [name for name, bar in BARS_S.items() if self.median(name) > bar]

    def table(self) -> Iterator[str]:
        yield f"{'':<40}{'min':>8}{'median':>8}{'max':>8}{'x python':>10}{'x imports':>10}{'bar':>7}"
        for name, seconds in self.seconds.items():
            median, bar = self.median(name), BARS_S.get(name)
            ratios = f"{median / self.median(PASS):>10.2f}{median / self.median(IMPORTS):>10.2f}"
            verdict = "" if bar is None else f"{bar:>7.2f}  {'missed' if median > bar else 'met'}"
            yield f"{name:<40}{min(seconds):>8.3f}{median:>8.3f}{max(seconds):>8.3f}{ratios}{verdict}"


@dataclass(frozen=True)
class Ended:
    """A process that ended well: its wall clock and CPU, children included, and what it said."""

    wall_s: float
    cpu_s: float
    out: str


class Bench:
    """A copy of the tree, and a home of its own."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self._environment = os.environ | GIT_ENVIRONMENT | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            # As cidx sets it for itself: the bare imports shall not pay for threads that it does not start.
            "OPENBLAS_NUM_THREADS": "1",
        }  # fmt: skip
        self._edits = 0

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", *arguments], cwd=self.root, env=self._environment, check=True, capture_output=True
        )

    def python(self, *arguments: str) -> Ended:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            started = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=self.root, env=self._environment, stdout=out, stderr=err
            )
            _, status, used = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                err.seek(0)
                raise SystemExit(f"{arguments} ended with {process.returncode}: {err.read()}")
            out.seek(0)
            return Ended(wall_s, used.ru_utime + used.ru_stime, out.read())

    def cidx(self, *arguments: str) -> Ended:
        return self.python("-m", "cidx", *arguments, "--standalone")

    def edit(self) -> None:
        """One function more in a long file: a hundred kilobytes to read and cut, one chunk to embed."""
        self._edits += 1
        with (self.root / EDITED).open("a", encoding="utf-8") as stream:
            stream.write(f"\n\ndef edited_{self._edits}(value):\n    return value + {self._edits}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, help="an unpacked source package; is not changed")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--full-runs", type=int, default=3)
    options = parser.parse_args()
    with workplace(options.tree or fetched()) as bench:
        measured = measure(bench, runs=options.runs, full_runs=options.full_runs)
        print(f"{bench.root.name}: {described(bench.root)}")
    print(*measured.table(), sep="\n")
    missed = measured.missed()
    print(f"missed: {', '.join(missed)}" if missed else "every bar is met")
    return 1 if missed else 0


def measure(bench: Bench, *, runs: int, full_runs: int) -> Measured:
    measured = Measured()
    # The first start compiles modules and warms the page cache, which nobody pays twice.
    bench.cidx("index")
    bench.cidx("query", QUERY)
    steps: dict[str, Callable[[], Ended]] = {
        PASS: lambda: bench.python("-c", "pass"),
        IMPORTS: lambda: bench.python("-c", IMPORTS),
        SEARCH: lambda: bench.cidx("query", QUERY),
        IDLE: lambda: bench.cidx("index", "--json"),
        EDIT: lambda: bench.cidx("index", "--json"),
        EDIT_SEARCH: lambda: bench.cidx("query", QUERY),
    }
    for _ in range(runs):
        for name, step in steps.items():
            if name in (EDIT, EDIT_SEARCH):
                bench.edit()
            ended = step()
            measured.add(name, ended.wall_s)
            if name == EDIT:
                measured.add(PUBLISH, json.loads(ended.out)["publish_s"])
    for _ in range(full_runs):
        shutil.rmtree(bench.root / FOLDER)
        ended = bench.cidx("index", "--json")
        measured.add(FULL, ended.wall_s)
        measured.add(FULL_CPU, ended.cpu_s)
    return measured


def described(root: Path) -> str:
    """What was indexed, and the size of the index beside it."""
    index = root / FOLDER / INDEX
    with open_current(index) as snapshot:
        files, chunks = snapshot.catalogue.counts()
        paths = [row.path for row in snapshot.catalogue.files() if not row.skipped]
    source_bytes = sum(os.lstat(os.fsencode(root) + b"/" + path).st_size for path in paths)
    base = layout.current(index)
    parts = {
        part.stem: index_bytes(part) or part.stat().st_size
        for part in (base.catalogue, base.vectors, base.fulltext)
    }
    total = index_bytes(index)
    return (
        f"{files} files, {chunks} chunks, {source_bytes / 1e6:.1f} MB; index {total / 1e6:.1f} MB, "
        f"{total / source_bytes:.2f} of the source ("
        + ", ".join(f"{name} {size / source_bytes:.2f}" for name, size in parts.items())
        + ")"
    )


def fetched() -> Path:
    """The source package, unpacked in the user's cache."""
    cache = platformdirs.user_cache_path("cidx-bench", appauthor=False)
    tree = cache / PACKAGE
    if not tree.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(cache), PACKAGE]
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
        with tempfile.TemporaryDirectory(dir=cache) as unpacked:
            with tarfile.open(next(cache.glob(ARCHIVE))) as archive:
                # The files get our owner, as with `tar --no-same-owner`.
                archive.extractall(unpacked, filter="data")
            next(Path(unpacked).iterdir()).rename(tree)
    return tree


@contextmanager
def workplace(tree: Path) -> Iterator[Bench]:
    """A copy of a tree as a git repository of one commit."""
    with tempfile.TemporaryDirectory(prefix="cidx-bars-") as place:
        home = Path(place) / "home"
        home.mkdir()
        bench = Bench(Path(place) / tree.resolve().name, home)
        shutil.copytree(tree, bench.root, symlinks=True, ignore=shutil.ignore_patterns(".git", FOLDER))
        bench.git("init", "-q")
        bench.git("add", "-A")
        bench.git("commit", "-q", "-m", "as released")
        yield bench


if __name__ == "__main__":
    sys.exit(main())
