"""What people use instead, asked the same on the same copy of a tree: whole processes in turns, medians.

    python tests/bench/peers.py --tree PATH [--semble PROGRAM --model FOLDER] [--runs 7]

For every line that matches: cidx with a warm daemon, `rg`, `git grep` and `csearch` (Debian's package `codesearch`),
those of them that are here. For ten hits of a question in words: cidx with a daemon and without, and semble with its
index in its cache; FOLDER is a local model for it, whose weights may be random. No answer of cidx is one that it kept.
Prints tables for docs/performance.md.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cidx.repository.repository import FOLDER, INDEX, index_bytes
from tests.bench import regex

# As all of them write it.
EXPRESSIONS = (
    "no_such_thing_anywhere", "get_queryset", "ImproperlyConfigured", "TODO|FIXME", r"class [A-Za-z]+Mixin\(",
    r"raise [A-Za-z]+Error\(f", r"def get_[a-z_]+", "[0-9]{4}-[0-9]{2}-[0-9]{2}", "self",
)  # fmt: skip
QUESTIONS = (
    "where is the password of a user checked", "how are migrations ordered", "QuerySet",
    "render a form field as html", "cache that expires", "parse the accept language header",
)  # fmt: skip

Command = Callable[[str], Sequence[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--semble", type=Path, help="its program")
    parser.add_argument("--model", type=Path, help="a model for it")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as folder:
        place = Path(folder).resolve()
        root = regex.copy(options.tree, place)
        environment = regex.environment(place) | {
            "CSEARCHINDEX": str(place / "csearch"),
            **({"SEMBLE_MODEL_NAME": str(options.model.resolve())} if options.model else {}),
        }
        with regex.warm_daemon(place, root):
            print(f"index of cidx: {index_bytes(root / FOLDER / INDEX) / 1e6:.1f} MB")
            if shutil.which("cindex"):
                _, took_s = run(["cindex", str(root)], root, environment)
                print(f"index of csearch: {took_s:.1f} s, {(place / 'csearch').stat().st_size / 1e6:.1f} MB")
            compare("lines that match", finders(root), EXPRESSIONS, root, environment, options.runs)
            compare("ten hits", answerers(options.semble), QUESTIONS, root, environment, options.runs)


def finders(root: Path) -> dict[str, Command]:
    found: dict[str, Command] = {
        "cidx": lambda text: regex.asking_cidx("--regex", "-l", "0", "--format", "vimgrep", "--", text),
        "rg": lambda text: [*regex.RG, "--regexp", text, "."],
        "git grep": lambda text: ["git", "grep", "-n", "-E", "-I", "-e", text],
        "csearch": lambda text: ["csearch", "-n", "-f", str(root), text],
    }
    return {
        name: command for name, command in found.items() if name == "cidx" or shutil.which(name.split()[0])
    }


def answerers(semble: Path | None) -> dict[str, Command]:
    found: dict[str, Command] = {
        "cidx, daemon": lambda text: regex.asking_cidx("--json", "--", text),
        "cidx, none": lambda text: [
            sys.executable,
            "-m",
            "cidx",
            "query",
            "--standalone",
            "--json",
            "--",
            text,
        ],
    }
    if semble is not None:
        program = str(semble.resolve())
        found["semble"] = lambda text: [program, "search", "-k", "10", text, "."]
    return found


def compare(
    what: str,
    commands: Mapping[str, Command],
    texts: Sequence[str],
    root: Path,
    environment: Mapping[str, str],
    runs: int,
) -> None:
    """A table: milliseconds of each way, and for lines how many each has found."""
    print(f"\n| {what} | {' | '.join(commands)} |\n|{'---|' * (len(commands) + 1)}")
    for command in commands.values():
        run(command(texts[0]), root, environment)
    for text in texts:
        counts: dict[str, int] = {}
        took_s: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                counts[name], seconds = run(command(text), root, environment)
                took_s[name].append(seconds)
        shown = (
            f"{statistics.median(took_s[name]) * 1000:.0f}" + f" ({counts[name]})" * (what != "ten hits")
            for name in commands
        )
        escaped = text.replace("|", "\\|")
        print(f"| `{escaped}` | {' | '.join(shown)} |", flush=True)


def run(command: Sequence[str], root: Path, environment: Mapping[str, str]) -> tuple[int, float]:
    """How many lines a process has written, and how long it took."""
    started = time.perf_counter()
    ended = subprocess.run(
        command, cwd=root, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    took_s = time.perf_counter() - started
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}: {os.fsdecode(ended.stderr)}")
    return ended.stdout.count(b"\n"), took_s


if __name__ == "__main__":
    main()
