"""How soon an edit, and a branch that is switched, is in the answers of a live daemon.

    python tests/bench/fresh.py --tree PATH --edits 100 --seed 1

On a copy of the tree. An edit is written and asked for at once; the time is that from the write to the answer that
shows it. Between two edits the daemon has a moment, as it has between those of a person. A branch is switched whose
commit touches many files, to what the index has never seen, and to and fro, where nothing may be embedded anew.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

PAUSE_S = 0.3
PATIENCE_S = 60.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tree", type=Path, required=True)
    arguments.add_argument("--edits", type=int, default=100)
    arguments.add_argument("--flipped", type=int, default=500, help="files that the other branch changes")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tree = copy_of(options.tree, Path(place))
        files = [tree.root / path for path in tree.git("ls-files", "*.py").splitlines()]
        chance = random.Random(options.seed)
        make_other_branch(tree, chance.sample(files, min(options.flipped, len(files))))
        print(f"{len(tree.git('ls-files').splitlines())} files, {tree.index()['chunks']} chunks")
        # A tree that has only just been copied is written to the disk half a minute later, which holds up each fsync.
        os.sync()
        with serving(tree) as daemon:
            ask(daemon, "anything")
            time.sleep(3)
            edits(daemon, [chance.choice(files) for _ in range(options.edits)])
            flips(daemon, options.flipped)


def copy_of(source: Path, place: Path) -> Tree:
    tree = Tree(place, git=False)
    shutil.copytree(
        source,
        tree.root,
        dirs_exist_ok=True,
        symlinks=True,
        ignore=shutil.ignore_patterns(".git", ".code-indexer"),
    )
    tree.git("init", "-q", "-b", "main")
    return tree.commit()


def ask(daemon: Daemon, text: str) -> Any:
    return json.loads(daemon.ask("query_fts", str(daemon.tree.root), text))


def edits(daemon: Daemon, files: list[Path]) -> None:
    took_ms = []
    for number, file in enumerate(files):
        before, word = file.read_text(errors="surrogateescape"), f"edited_{number}_just_now"
        started = time.perf_counter()
        file.write_text(f"{before}\n\ndef {word}():\n    pass\n", errors="surrogateescape")
        answer = ask(daemon, word)
        took_ms.append((time.perf_counter() - started) * 1000)
        assert answer["fresh"], answer
        assert any(word in hit["text"] for hit in answer["hits"]), word
        file.write_text(before, errors="surrogateescape")
        time.sleep(PAUSE_S)
    cuts = quantiles(took_ms, n=20)
    print(
        f"edit to fresh answer: p50 {median(took_ms):.0f} ms, p95 {cuts[18]:.0f} ms (bar 200), {len(files)} edits"
    )


def make_other_branch(tree: Tree, files: list[Path]) -> None:
    tree.git("switch", "-q", "-c", "other")
    for number, file in enumerate(files):
        with file.open("a") as stream:
            stream.write(f"\n\ndef only_on_the_other_branch_{number}():\n    pass\n")
    tree.commit()
    tree.git("switch", "-q", "main")


def flips(daemon: Daemon, files: int) -> None:
    tree = daemon.tree
    for branch in ("other", "main", "other", "main"):
        rows = ask_status(daemon)["vectors"]
        started = time.perf_counter()
        tree.git("switch", "-q", branch)
        switched_s = time.perf_counter() - started
        wait(daemon)
        took_s = time.perf_counter() - started
        new = ask_status(daemon)["vectors"] - rows
        print(
            f"switched to {branch}, {files} files: fresh {took_s:.2f} s after the start of git switch, which took "
            f"{switched_s:.2f} s (bar 2), {new} embedded"
        )
        time.sleep(PAUSE_S)


def wait(daemon: Daemon) -> None:
    """Until an answer is fresh."""
    until = time.monotonic() + PATIENCE_S
    while not ask(daemon, "only_on_the_other_branch_1")["fresh"]:
        assert time.monotonic() < until, "it never became fresh"
        time.sleep(0.1)


def ask_status(daemon: Daemon) -> Any:
    return json.loads(daemon.ask("get_status"))["cache"]


if __name__ == "__main__":
    main()
