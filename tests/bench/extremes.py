"""Files and trees that nobody expects: what `cidx index`, the same without a change, and a query take of them.

    python tests/bench/extremes.py [huge|zeros|lines|code|line|small]... [--files 100000]

Each case is a made-up git repository in a temporary folder. Seconds and peak memory are of whole processes, with
the processes that they start; `git status` of the same tree stands beside them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.kit import Tree

# The child is measured by a parent of its own, whose only child it is.
_MEASURE = """
import os, resource, sys, time
started = time.perf_counter()
code = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
print(f"{wall:8.2f} s {used.ru_utime + used.ru_stime:8.2f} s CPU {peak:7.0f} MB", file=sys.stderr)
sys.exit(code)
"""
CIDX = (sys.executable, "-m", "cidx")


def huge(tree: Tree, _: int) -> dict[str, str]:
    """a file of 2 GB"""
    with (tree.root / "huge.txt").open("wb") as stream:
        stream.truncate(2**31)
    return {}


def zeros(tree: Tree, _: int) -> dict[str, str]:
    """a file of 2 GB that is no text, under the largest limit that may be set"""
    huge(tree, _)
    return {"CIDX_INDEX_MAX_FILE_BYTES": str(2**31)}


def lines(tree: Tree, _: int) -> dict[str, str]:
    """a million lines of text, 31 MB"""
    write(tree.root / "lines.txt", (f"{number:07d} the quick brown fox jumps" for number in range(1_000_000)))
    return {"CIDX_INDEX_MAX_FILE_BYTES": str(10**8)}


def code(tree: Tree, _: int) -> dict[str, str]:
    """a million lines of Python, 28 MB"""
    write(tree.root / "code.py", (f"value_{number:07d} = call({number})" for number in range(1_000_000)))
    return {"CIDX_INDEX_MAX_FILE_BYTES": str(10**8)}


def line(tree: Tree, _: int) -> dict[str, str]:
    """one line of 50 MB"""
    write(tree.root / "line.json", ["[" + "12345678," * 5_600_000 + "1]"])
    return {"CIDX_INDEX_MAX_FILE_BYTES": str(10**8)}


def small(tree: Tree, files: int) -> dict[str, str]:
    """many small files"""
    for number in range(files):
        folder = tree.root / f"p{number // 1000}" / f"q{number // 100 % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        body = [
            f"def function_{number}(value):",
            f"    '''{number} things.'''",
            f"    return value * {number}",
        ]
        write(folder / f"m{number}.py", body)
    tree.git("add", "-A")
    return {}


CASES: tuple[Callable[[Tree, int], dict[str, str]], ...] = (huge, zeros, lines, code, line, small)


def write(file: Path, content: Iterator[str] | list[str]) -> None:
    with file.open("w") as stream:
        stream.writelines(f"{text}\n" for text in content)


def measure(tree: Tree, name: str, command: tuple[str, ...], extra: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command],
        cwd=tree.root,
        env=tree.process_environment(PYTHONPATH=str(Path(__file__).parents[2]), **extra),
        capture_output=True,
        text=True,
        check=False,
    )
    says = done.stdout.strip().splitlines()[-1:] if command[0] == CIDX[0] else []
    print(f"  {name:24}{done.stderr.splitlines()[-1]}  {''.join(says)[:60]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "cases", nargs="*", metavar="case", help="one of the names above; all of them without"
    )
    parser.add_argument("--files", type=int, default=100_000)
    chosen = parser.parse_args()
    if unknown := set(chosen.cases) - {case.__name__ for case in CASES}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for case in CASES:
        if chosen.cases and case.__name__ not in chosen.cases:
            continue
        print(f"{case.__name__}: {case.__doc__}")
        with tempfile.TemporaryDirectory(prefix="cidx-extreme-") as place:
            tree = Tree(Path(os.path.realpath(place))).write({"a.py": "def needle(): ...\n"})
            extra = case(tree, chosen.files)
            measure(tree, "cidx index", (*CIDX, "index"), extra)
            measure(tree, "cidx index, no change", (*CIDX, "index"), extra)
            measure(tree, "cidx query", (*CIDX, "query", "--quiet", "needle"), extra)
            measure(tree, "git status", ("git", "status", "--short"), extra)


if __name__ == "__main__":
    main()
