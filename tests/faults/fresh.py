"""A tree that never rests, and a live daemon that is asked about it: what claims to be fresh has to be.

    python tests/faults/fresh.py --steps 10000 --seed 1

Files are edited, made, moved and deleted, folders come and go, ignore rules change and branches are switched, and
between any two steps the daemon may be asked for a word. An answer that claims to be fresh has to name every place
where the word stands on disk at that moment and no other, with the lines as they are; one that does not claim it may
be behind, but what it shows has to be as on disk or be marked as stale.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

FOLDERS = ("", "src", "src/deep", "lib", "out")
# Of each step how often it is taken; asking is what it is all for.
STEPS = {
    "ask": 40, "edit": 25, "make": 10, "move": 6, "delete": 6, "drop_folder": 1, "move_folder": 1, "ignore": 1,
    "switch": 2, "commit": 2,
}  # fmt: skip


class Restless:
    """The tree, and what it should be found to hold."""

    def __init__(self, tree: Tree, chance: random.Random) -> None:
        self._tree = tree
        self._chance = chance
        self._words = 0
        self._branches = 1
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        for _ in range(20):
            self.make()
        self.commit()

    def step(self, daemon: Daemon) -> None:
        name = self._chance.choices(list(STEPS), list(STEPS.values()))[0]
        self.counts[name] += 1
        if name == "ask":
            self.ask(daemon)
        else:
            getattr(self, name)()

    # What happens to the tree

    def edit(self) -> None:
        if file := self._any():
            lines = file.read_text().split("\n")
            place = self._chance.randrange(len(lines))
            lines[place:place] = self._function().split("\n")
            if len(lines) > 60:
                del lines[:20]
            file.write_text("\n".join(lines))

    def make(self) -> None:
        folder = self._tree.root / self._chance.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{self._chance.randrange(40)}.py").write_text(self._function())

    def move(self) -> None:
        if file := self._any():
            target = self._tree.root / self._chance.choice(FOLDERS) / f"f{self._chance.randrange(40)}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)

    def delete(self) -> None:
        if file := self._any():
            file.unlink()

    def drop_folder(self) -> None:
        shutil.rmtree(self._tree.root / self._chance.choice(FOLDERS[1:]), ignore_errors=True)

    def move_folder(self) -> None:
        source, target = (self._tree.root / name for name in self._chance.sample(FOLDERS[2:], 2))
        if source.is_dir() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)

    def ignore(self) -> None:
        (self._tree.root / ".gitignore").write_text(self._chance.choice(("", "out/\n", "f1.py\n")))

    def switch(self) -> None:
        self.commit()
        if self._branches < 4:
            self._tree.git("switch", "-q", "-c", f"b{self._branches}")
            self._branches += 1
        else:
            self._tree.git("switch", "-q", f"b{self._chance.randrange(1, self._branches)}")

    def commit(self) -> None:
        self._tree.commit()

    # What is asked

    def ask(self, daemon: Daemon) -> None:
        word = f"word{self._chance.randrange(max(1, self._words - 60), self._words + 1)}x"
        answer = json.loads(daemon.ask("query_fts", str(self._tree.root), word, limit=0))
        if "error" in answer:
            self.wrong.append(f"{word}: {answer['error']}")
            return
        self.counts["fresh" if answer["fresh"] else "behind"] += 1
        for hit in answer["hits"]:
            if not hit.get("stale") and self._lines(hit) != hit["text"]:
                self.wrong.append(f"{word}: {hit['path']}:{hit['start_line']} is not as on disk")
        if answer["fresh"]:
            found = {hit["path"] for hit in answer["hits"] if word in hit["text"].split("_")}
            there = self._holding(word)
            if found != there:
                self.wrong.append(f"{word}: found in {sorted(found)}, stands in {sorted(there)}")

    def _lines(self, hit: dict[str, Any]) -> str:
        file = self._tree.root / hit["path"]
        if not file.is_file():
            return "(gone)"
        return "\n".join(file.read_text().split("\n")[hit["start_line"] - 1 : hit["end_line"]])

    def _holding(self, word: str) -> set[str]:
        listed = self._tree.git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        files = (path for path in set(listed) if path.endswith(".py") and (self._tree.root / path).is_file())
        return {path for path in files if f"_{word}_" in (self._tree.root / path).read_text()}

    def _any(self) -> Path | None:
        files = sorted(file for file in self._tree.root.rglob("*.py") if ".git" not in file.parts)
        return self._chance.choice(files) if files else None

    def _function(self) -> str:
        self._words += 1
        return f"def f_word{self._words}x_():\n    return {self._words}\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(Path(place))
        restless = Restless(tree, random.Random(options.seed))
        tree.index()
        with serving(tree) as daemon:
            for _ in range(options.steps):
                restless.step(daemon)
    counts = restless.counts
    print(
        f"{options.steps} steps, {counts['ask']} answers, {counts['fresh']} fresh, {counts['behind']} behind, "
        f"{len(restless.wrong)} wrong"
    )
    print("\n".join(restless.wrong[:20]))
    sys.exit(bool(restless.wrong))


if __name__ == "__main__":
    main()
