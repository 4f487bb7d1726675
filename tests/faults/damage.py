"""Damages an index at random and sees that it is noticed and healed, and that nothing wrong is said loudly.

    python tests/faults/damage.py --times 500 --seed 1

Each time one file of a good index loses its end, a bit, a block, or itself. Then a query answers or names the damage,
`cidx doctor` finds it, and `cidx index` heals it: the index says again what it said before.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cidx.repository.repository import FOLDER
from tests.kit import Tree, content

FILES = 60
QUESTION = "needle_3_4"
SEAL = "seal"


def flip(data: bytearray, dice: random.Random) -> bytes:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def cut(data: bytearray, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def blank(data: bytearray, dice: random.Random) -> bytes:
    """A block of zeros, as after a crash of the system; of what is not zero already."""
    start = dice.choice([place for place, value in enumerate(data) if value])
    data[start : start + 512] = bytes(len(data[start : start + 512]))
    return data


KINDS: dict[str, Callable[[bytearray, random.Random], bytes] | None] = {
    "flip": flip,
    "cut": cut,
    "blank": blank,
    "gone": None,
}


def plant(place: Path) -> Tree:
    """A repository whose index has a history: several segments, dead chunks, a log."""
    tree = Tree(place)
    for number in range(FILES):
        functions = (
            f"def needle_{number}_{part}(x):\n    return helper_{part}(x) * {number}\n\n\n"
            for part in range(8)
        )
        tree.write({f"module_{number % 7}/file_{number}.py": "".join(functions)})
    tree.commit()
    tree.index()
    tree.write({"late.py": "def late(): ...\n", "module_0/file_0.py": "def early(): ...\n"})
    # Files as young as a clock tick are looked at again by the first query, which breaks the seal.
    time.sleep(0.05)
    tree.index()
    return tree


def damage(file: Path, kind: str, dice: random.Random) -> None:
    change = KINDS[kind]
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change(bytearray(file.read_bytes()), dice))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    answered: Counter[str] = Counter()
    broken = []
    with tempfile.TemporaryDirectory(prefix="cidx-damage-") as place:
        tree = plant(Path(place))
        index, good = tree.root / FOLDER / "index", Path(place) / "good"
        shutil.copytree(index, good)
        with tree.snapshot() as snapshot:
            said = content(snapshot)
        places = places_of(tree.query(QUESTION))
        for _ in range(options.times):
            shutil.rmtree(index)
            shutil.copytree(good, index)
            file = dice.choice(sorted(f for f in index.rglob("*") if f.is_file() and f.stat().st_size))
            kind = dice.choice(list(KINDS))
            damage(file, kind, dice)
            answered[answer := ask(tree, places)] += 1
            doctor = tree.run("doctor").code
            healed = tree.run("index")
            with tree.snapshot() as snapshot:
                same = content(snapshot) == said and places_of(tree.query(QUESTION)) == places
            # What is wrong with the seal says nothing of the index.
            seen = doctor == 1 or file.name == SEAL
            if answer == "unexpected" or not seen or healed.code != 0 or not same:
                broken.append(
                    f"{kind} {file.name}: {answer}, doctor {doctor}, index {healed.code}, same: {same}"
                )
    for name, count in sorted(answered.items()):
        print(f"{count:>5}  queries {name}")
    for line in broken[:20]:
        print(line)
    print(f"{options.times} damages, {len(broken)} not noticed, not healed or not answered")
    return int(bool(broken))


def places_of(answer: dict[str, Any]) -> list[tuple[str, int]]:
    """Without the scores: what is dead still counts in them, until a rebuild."""
    return [(hit["path"], hit["start_line"]) for hit in answer["hits"]]


def ask(tree: Tree, places: list[tuple[str, int]]) -> str:
    """How a query on the damaged index ends."""
    ran = tree.run("query", "--json", QUESTION)
    if ran.code in (0, 1):
        # Contents are checked by `index` and `doctor` only: a score may have moved, a hit may be missing.
        return "answered as before" if places_of(ran.json) == places else "answered otherwise"
    code = json.loads(ran.out)["error"]["code"]
    return f"ended with {code}" if code in ("damaged-index", "not-indexed", "newer-index") else "unexpected"


if __name__ == "__main__":
    sys.exit(main())
