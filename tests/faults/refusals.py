"""Refuses one write after the other of a `cidx index`, and sees that the index is the old one or the new one and heals.

    python tests/faults/refusals.py [first|edit|clear|graph]... [--every 1] [--seed 1]

A library (`refuse.c`, compiled here with the system's `cc`) is preloaded into the run and whatever it starts. It
makes the Nth opening, writing, syncing, cutting or naming of a file of the index fail: of a bad disk (EIO) once, of a
full one (ENOSPC) that and all later ones. The run ends with 5 and an error that names it, or with 0 where what failed
was no part of the index; what is published answers; the next run succeeds and says what a rebuild says. Linux only.
"""

import argparse
import errno
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cidx.api.errors import CidxError
from cidx.repository.repository import FOLDER
from tests.kit import Ran, Tree, content

CHECKOUT = Path(__file__).parents[2]
LIBRARY = Path(__file__).with_name("refuse.c")
QUESTION = "needle_1"
# A graph is for large sets; here a small one gets one.
WORTH_ROWS = 20
SCENARIOS = ("first", "edit", "clear", "graph")
SLUGS = {errno.EIO: "io-error", errno.ENOSPC: "disk-full"}
_STATE_BYTES = 4096
_CALLS = struct.Struct("@L")
_START = "from cidx.store import layout; layout.WORTH_A_GRAPH = {}; from cidx.__main__ import main; main()"


@dataclass(frozen=True)
class Refusal:
    """One run, what was refused of it, and what was wrong about how it ended; nothing if all was well."""

    ran: Ran
    refused: str
    wrong: str


class Stage:
    """A repository before a run, which can be repeated."""

    def __init__(self, place: Path, scenario: str) -> None:
        self.scenario = scenario
        self.tree = Tree(place)
        self._library = compile_library(place)
        self._state = place / "state"
        self._kept = place / "kept"
        self._folder = self.tree.root / FOLDER
        self.tree.write({f"part/file_{number}.py": source(number) for number in range(12)}).commit()
        self.before: dict[str, Any] | None = None
        if scenario != "first":
            self.tree.index()
            self.before = self.says()
            self.tree.write({"part/file_3.py": source(103), "part/late.py": source(104)})
            (self.tree.root / "part/file_5.py").unlink()
            # What is as young as a clock tick is looked at again, and the run would differ.
            time.sleep(0.05)
            shutil.copytree(self._folder, self._kept)
        self.calls, ran = self._run(0, 0, stays=False)
        assert ran.code == 0, ran
        self.after = self.says()
        shutil.rmtree(self._folder)
        self.tree.index()
        assert self.says() == self.after

    def says(self) -> dict[str, Any] | None:
        """What the published index holds; None where there is none."""
        try:
            with self.tree.snapshot() as snapshot:
                return content(snapshot)
        except CidxError:
            return None

    def refuse(self, at: int, number: int, *, only: str = "") -> Refusal:
        """A run whose call `at` is refused with an error; a full disk stays full. `only` such calls count, in words."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._kept.exists():
            shutil.copytree(self._kept, self._folder)
        _, ran = self._run(at, number, stays=number == errno.ENOSPC, only=only)
        refused = re.sub(
            r"/base-\d+", "/base", self._state.read_bytes()[_CALLS.size :].split(b"\0")[0].decode()
        )
        # SQLite does not say what the system said to it.
        said_by_sqlite = "catalogue" in refused or "unable to open database file" in ran.err
        slugs = [*SLUGS.values()] if said_by_sqlite else [SLUGS[number]]
        # What full text can't be opened with counts as damage.
        slugs += ["damaged-index"] * refused.endswith(".tantivy-meta.lock")
        return Refusal(ran, refused, "; ".join(self._wrongs(ran, refused, slugs)))

    def _wrongs(self, ran: Ran, refused: str, slugs: Iterable[str]) -> Iterator[str]:
        if ran.code not in (0, 5) or "Traceback" in ran.err:
            yield f"exit {ran.code}: {ran.err[-600:]}"
        if ran.code == 5 and not (any(f"[{slug}]" in ran.err for slug in slugs) and "next: " in ran.err):
            yield f"not named: {ran.err[-600:]}"
        found = self.says()
        if found not in ([self.after] if ran.code == 0 else [self.before, self.after]):
            yield "neither the old index nor the new one"
        asked = self.tree.run("query", QUESTION, environment={"CIDX_DAEMON_AUTO_INDEX": "false"})
        if asked.code != (3 if found is None else 0):
            yield f"a query ended with {asked.code}: {asked.err}"
        # Of what hnswlib saves the end is not needed.
        built = [*self.tree.repository.index_folder.glob("base-*/graph")]
        if "/graph" in refused and (ran.code != 0 or bool(built) == ("no graph was built (" in ran.err)):
            yield f"the graph: {ran.code} {ran.err} {built}"
        healed = self._run(0, 0, stays=False)[1] if self.scenario == "graph" else self.tree.run("index")
        if healed.code or self.says() != self.after:
            yield f"not healed: {healed.code} {healed.err}"
        [base, *others] = self.tree.repository.index_folder.glob("base-*")
        if others or [*base.glob("graph.[dn]*")] or (base / "graph").exists() != (self.scenario == "graph"):
            yield f"not what should be there: {sorted(os.listdir(base))}"

    def _run(self, at: int, number: int, *, stays: bool, only: str = "") -> tuple[int, Ran]:
        self._state.write_bytes(bytes(_STATE_BYTES))
        environment = self.tree.process_environment(
            PYTHONPATH=str(CHECKOUT),
            LD_PRELOAD=str(self._library),
            REFUSE_BELOW=str(self._folder),
            REFUSE_STATE=str(self._state),
            REFUSE_AT=str(at),
            REFUSE_WITH=str(number),
            **({"REFUSE_ALL": "1"} if stays else {}),
            **({"REFUSE_ONLY": only} if only else {}),
        )
        start = _START.format(WORTH_ROWS if self.scenario == "graph" else 10**9)
        argv = [sys.executable, "-c", start, "index", *(["--clear"] if self.scenario == "clear" else [])]
        done = subprocess.run(
            argv,
            cwd=self.tree.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        (calls,) = _CALLS.unpack_from(self._state.read_bytes())
        return calls, Ran(done.returncode, done.stdout, done.stderr)


def source(number: int) -> str:
    return "".join(f"def needle_{number}_{part}(x):\n    return x + {number}\n\n\n" * 12 for part in range(3))


def compile_library(place: Path) -> Path:
    made = place / "refuse.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", made, LIBRARY, "-ldl"], check=True)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--every", type=int, default=1, help="leave out all but each Nth call")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    dice = random.Random(options.seed)
    runs = broken = 0
    for scenario in options.scenarios or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="cidx-refusals-") as place:
            stage = Stage(Path(os.path.realpath(place)), scenario)
            forgiven: Counter[str] = Counter()
            for at in range(1 + dice.randrange(options.every), stage.calls + 1, options.every):
                for number in SLUGS:
                    found = stage.refuse(at, number)
                    runs += 1
                    forgiven[found.refused] += found.ran.code == 0
                    if found.wrong:
                        broken += 1
                        print(
                            f"{scenario} {at} {errno.errorcode[number]} {found.refused}: {found.wrong}",
                            flush=True,
                        )
            print(
                f"{scenario}: {stage.calls} calls; refused and done without:",
                *sorted(+forgiven),
                sep="\n    ",
            )
    print(f"{runs} refusals, {broken} not named, not whole or not healed")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
