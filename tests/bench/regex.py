"""Regular expressions beside ripgrep: the same lines, and what finding them costs, whole processes in turns.

    python tests/bench/regex.py TREE... [--runs 7]

Makes a copy of each tree (in git), indexes it, and asks a warm daemon through the light client, for every line as
`path:line:column:text`, what `rg` is asked too. Each pair runs one after the other, and the medians of their ratios
count, so that a noisy machine is noisy for both. No answer is one that was kept. Exits with 1 when a line differs, or
when a selective expression takes longer than rg.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

from tests.kit import LIGHT

# An expression that less than one line in a thousand matches, and that holds a word or a part of one.
SELECTIVE = (
    "get_queryset", r"\bas_sql\b", "getLogger", "ImproperlyConfigured", "TODO|FIXME",
    "(?i)todo", r"class \w+Mixin\(", r"^import (os|sys)$", r"raise \w+Error\(f", "no_such_thing_anywhere", r"__slots__",
    r"logging\.getLogger\(", "na\u00efve|\u00fcber",
)  # fmt: skip
# What an index of words can't narrow, or what many lines match: rg's field.
BROAD = (
    r"def\s+get_\w+",
    "assertRaises",
    r"\d{4}-\d{2}-\d{2}",
    r"[^\x00-\x7f]",
    "self",
    r"(\w+\.)+objects",
    r"\bif\b.*\breturn\b",
)
RG = (
    "rg", "--no-config", "--hidden", "--no-heading", "--with-filename", "--line-number", "--column", "--color=never",
)  # fmt: skip
_LINE = re.compile(rb"^(.*?):([0-9]+):([0-9]+):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ran:
    """One process: what it found, and how long it took."""

    places: frozenset[tuple[bytes, int, int]]
    wall_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    if shutil.which("rg") is None:
        parser.error("there is no rg here to compare with")
    good = [measure(tree, runs=options.runs) for tree in options.trees]
    return 0 if all(good) else 1


def measure(tree: Path, *, runs: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as folder:
        place = Path(folder).resolve()
        root = copy(tree, place)
        with warm_daemon(place, root):
            indexed = indexed_files(root)
            print(
                f"{tree}: {len(indexed)} files\n{'expression':28} {'lines':>7} {'cidx ms':>8} {'rg ms':>7} ratio"
            )
            selective = [compare(expression, place, root, indexed, runs) for expression in SELECTIVE]
            print("not narrowed, or many lines:")
            broad = [compare(expression, place, root, indexed, runs) for expression in BROAD]
    same = all(same for same, _ in selective + broad)
    return same and all(ratio <= 1 for _, ratio in selective)


def compare(
    expression: str, place: Path, root: Path, indexed: frozenset[bytes], runs: int
) -> tuple[bool, float]:
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(cidx(expression, place, root))
        theirs.append(rg(expression, root))
    ratio = statistics.median(a.wall_s / b.wall_s for a, b in zip(ours, theirs, strict=True))
    found = frozenset(place for place in theirs[0].places if place[0] in indexed)
    differing = found ^ ours[0].places
    wall = [statistics.median(ran.wall_s for ran in rans) * 1000 for rans in (ours, theirs)]
    print(f"{expression:28} {len(found):7} {wall[0]:8.1f} {wall[1]:7.1f} {ratio:5.2f}")
    for path, line, column in sorted(differing)[:5]:
        side = "only rg" if (path, line, column) in found else "only cidx"
        print(f"    {side}: {os.fsdecode(path)}:{line}:{column}")
    return not differing, ratio


_asked = count(1)


def cidx(expression: str, place: Path, root: Path) -> Ran:
    return run(asking_cidx("--regex", "-l", "0", "--format", "vimgrep", "--", expression), place, root)


def asking_cidx(*argv: str) -> list[str]:
    """A query that nobody has asked before: no hit is below its score, which is another one each time."""
    new = f"--min-score={next(_asked) / 10**9:.9f}"
    return [sys.executable, "-I", "-S", "-c", LIGHT, "query", new, *argv]


def rg(expression: str, root: Path) -> Ran:
    return run([*RG, "--regexp", expression, "."], root, root)


def run(command: list[str], place: Path, root: Path) -> Ran:
    started = time.perf_counter()
    ended = subprocess.run(command, cwd=root, env=environment(place), capture_output=True, check=False)
    wall_s = time.perf_counter() - started
    if ended.returncode not in (0, 1) or ended.stderr:
        raise SystemExit(f"{command} ended with {ended.returncode}: {ended.stderr.decode()}")
    places = (
        (found[1].removeprefix(b"./"), int(found[2]), int(found[3])) for found in _LINE.finditer(ended.stdout)
    )
    return Ran(frozenset(places), wall_s)


def copy(tree: Path, place: Path) -> Path:
    """The tree without its history and its compiled files, as a new repository."""
    root = place / "repository"
    left = shutil.ignore_patterns(".git", ".code-indexer", "__pycache__", "site-packages")
    shutil.copytree(tree, root, ignore=left, symlinks=True)
    for folder in (place / "home", place / "run"):
        folder.mkdir(mode=0o700)
    for command in (["git", "init", "--quiet"], ["git", "add", "-A"]):
        subprocess.run(command, cwd=root, env=environment(place), check=True)
    return root


@contextmanager
def warm_daemon(place: Path, root: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "cidx"]
    subprocess.run([*command, "index"], cwd=root, env=environment(place), check=True, capture_output=True)
    server = subprocess.Popen(
        [*command, "daemon", "serve"], cwd=root, env=environment(place), stderr=subprocess.PIPE
    )
    try:
        assert server.stderr is not None
        server.stderr.readline()
        # Until the second question for a part of a word there is no list of terms.
        for expression in ("get_queryset", "get_query"):
            cidx(expression, place, root)
        yield
    finally:
        server.terminate()
        server.communicate()


def indexed_files(root: Path) -> frozenset[bytes]:
    from cidx.store.snapshot import open_current

    with open_current(root / ".code-indexer" / "index") as snapshot:
        return frozenset(path for _, path, _ in snapshot.catalogue.languages())


def environment(place: Path) -> dict[str, str]:
    found = {"HOME": str(place / "home"), "XDG_RUNTIME_DIR": str(place / "run"), "PYTHONPATH": str(CHECKOUT)}
    # Its records would fill the pipe.
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "CIDX_LOG": "warning",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    } | found


if __name__ == "__main__":
    sys.exit(main())
