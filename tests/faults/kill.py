"""kill -9 at any point: what answers afterwards is the generation before or the one after, never a mixture.

    python tests/faults/kill.py --kills 200 --seed 1

A repository changes by seeded edits; `cidx index` runs in a process of its own and is killed at a random
instant of the run, at a random change that it makes on disk, or at one of those that publish (some milliseconds
of a run, so instants alone would seldom meet them). Then the published generation is compared with indexes
made from scratch of the trees before and after, and what the next run leaves behind is looked at. A seed
repeats the edits and the aims; where in the code a kill lands is up to the machine. Linux only (inotify, pidfd).
"""

import argparse
import ctypes
import json
import os
import random
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cidx.api.errors import CidxError
from cidx.index import indexer
from cidx.repository.repository import FOLDER
from cidx.store import layout
from cidx.store.snapshot import open_current
from cidx.text import embedder
from tests.kit import Tree, content, lines_on_disk

Content = dict[str, Any]

# Enough files for a run to last some hundred milliseconds, few enough for hundreds of runs.
FEWEST_FILES, MOST_FILES = 60, 100
UPDATE, CLEAR, FIRST = "update", "clear", "first"
RUNS = (UPDATE, UPDATE, UPDATE, CLEAR, FIRST)
# So often a kill follows a kill without a good run in between, and a run follows a kill without a query.
AGAIN, UNASKED = 0.25, 0.15
# What a killed process leaves running has to end by itself within this time.
ORPHANS_S = 5.0

WORDS = (
    "account", "balance", "cache", "channel", "cursor", "decode", "digest", "encode", "event", "filter",
    "folder", "handle", "header", "index", "insert", "journal", "ledger", "limit", "listen", "merge",
    "number", "offset", "packet", "parse", "pointer", "policy", "publish", "query", "reader", "record",
    "reply", "retry", "route", "schema", "score", "search", "segment", "server", "session", "snapshot",
    "socket", "stamp", "stream", "symbol", "table", "thread", "ticket", "token", "tree", "update", "vector",
    "worker", "writer",
)  # fmt: skip

# By suffix: how a file begins, and one definition in it.
LANGUAGES = {
    "py": ('"""{a} {b}."""\n', "\n\ndef {a}_{b}_{n}({c}):\n    # {d} {e}\n    return {c} + {n}\n"),
    "go": ("package {a}\n", "\n// {a} {b}\nfunc {a}{b}{n}({c} int) int {{\n\treturn {c} * {n}\n}}\n"),
    "js": ("// {a} {b}\n", "\nfunction {a}_{b}{n}({c}) {{\n  const {d} = {c} + {n};\n  return {d};\n}}\n"),
    "ts": (
        "// {a} {b}\n",
        "\nexport class {a}{n} {{\n  {b}({c}: number) {{\n    return {c} + {n};\n  }}\n}}\n",
    ),
    "rs": ("//! {a} {b}\n", "\n/// {d} {e}\npub fn {a}_{b}_{n}({c}: u64) -> u64 {{\n    {c} + {n}\n}}\n"),
    "md": ("# {a} {b}\n", "\n## {a} {n}\n\nThe {b} of the {c} has a {d} and a {e}.\n"),
    "txt": ("{a} {b}\n", "{a} {b} {c} {d} {e} {n}\n"),
}


class Violation(Exception):
    """A promise that was broken."""


def expect(kept: bool, promise: str) -> None:
    if not kept:
        raise Violation(promise)


class Editor:
    """Changes a repository as people and git do; everything follows from the dice."""

    def __init__(self, tree: Tree, dice: random.Random) -> None:
        self._tree = tree
        self._dice = dice

    def plant(self) -> None:
        while len(self.files()) < (FEWEST_FILES + MOST_FILES) // 2:
            self.add()
        self._tree.commit()

    def change(self) -> None:
        """From one touched file to another branch."""
        kinds = (self.add, self.edit, self.edit, self.append, self.rename, self.delete, self.touch)
        for _ in range(self._dice.choice((1, 1, 3, 10, 25))):
            self._dice.choice(kinds)()
        if self._dice.random() < 0.2:
            self.flip()
        while len(self.files()) < FEWEST_FILES:
            self.add()
        while len(self.files()) > MOST_FILES:
            self.delete()

    def files(self) -> list[Path]:
        return sorted(
            file
            for folder in self._tree.root.iterdir()
            if folder.name not in (".git", FOLDER)
            for file in folder.iterdir()
        )

    def add(self) -> None:
        name = f"{self._word()}/{self._word()}_{self._dice.randrange(1000)}.{self._dice.choice([*LANGUAGES])}"
        self._tree.write({name: self._text(name, self._dice.randrange(1, 30))})

    def edit(self) -> None:
        file = self._any()
        lines = file.read_text().splitlines(keepends=True)
        lines[self._dice.randrange(len(lines))] = f"{self._word()} {self._word()}\n"
        file.write_text("".join(lines))

    def append(self) -> None:
        file = self._any()
        file.write_text(file.read_text() + self._text(file.name, 1))

    def rename(self) -> None:
        file = self._any()
        folder = self._tree.root / self._word()
        folder.mkdir(exist_ok=True)
        file.rename(folder / f"{self._word()}_{self._dice.randrange(1000)}{file.suffix}")

    def delete(self) -> None:
        self._any().unlink()

    def touch(self) -> None:
        self._any().touch()

    def flip(self) -> None:
        """Commit, and go on from another branch."""
        self._tree.commit()
        branch = self._dice.choice(("main", "other", "third"))
        known = self._tree.git("branch", "--list", branch).strip()
        self._tree.git("checkout", "-q", *([] if known else ["-b"]), branch)

    def _any(self) -> Path:
        return self._dice.choice(self.files())

    def _word(self) -> str:
        return self._dice.choice(WORDS)

    def _text(self, name: str, definitions: int) -> str:
        head, definition = LANGUAGES[name.rpartition(".")[2]]
        return self._fill(head) + "".join(self._fill(definition) for _ in range(definitions))

    def _fill(self, template: str) -> str:
        return template.format(n=self._dice.randrange(10_000), **{key: self._word() for key in "abcde"})


@dataclass(frozen=True)
class Changes:
    """Changes on disk, and those among them that belong to publishing."""

    all: int = 0
    publishing: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(self.all + other.all, self.publishing + other.publishing)


class Watch:
    """Counts the changes that somebody makes in the folder of an index, which need not exist yet."""

    _MODIFIED, _MOVED_HERE, _CREATED, _DELETED, _IS_FOLDER = 0x2, 0x80, 0x100, 0x200, 0x40000000
    _HEAD = struct.Struct("iIII")
    # The commit of full text, the commit of the catalogue, the pointer.
    _PUBLISHING = frozenset(
        (b"meta.json", b"catalogue.sqlite-wal", b"catalogue.sqlite", b".current", b"current")
    )

    def __init__(self, root: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders: dict[int, Path] = {}
        self._watch(root)
        for folder, _, _ in os.walk(root / FOLDER):
            self._watch(Path(folder))

    def _watch(self, folder: Path) -> None:
        mask = self._MODIFIED | self._MOVED_HERE | self._CREATED | self._DELETED
        number = self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), mask)
        self._folders[number] = folder

    def look(self) -> "Changes":
        """What there was since the last look."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return Changes()
        count, publishing, place = 0, 0, 0
        while place < len(data):
            number, mask, _, size = self._HEAD.unpack_from(data, place)
            name = data[place + self._HEAD.size :][:size].rstrip(b"\0")
            place += self._HEAD.size + size
            count += 1
            publishing += name in self._PUBLISHING
            if mask & self._IS_FOLDER and mask & self._CREATED:
                self._watch(self._folders[number] / os.fsdecode(name))
        return Changes(count, publishing)

    def close(self) -> None:
        os.close(self.descriptor)


NEVER = 1_000_000


@dataclass(frozen=True)
class Aim:
    """When to kill: after so many seconds, or at so many changes."""

    seconds: float = NEVER
    changes: Changes = Changes(NEVER, NEVER)


@dataclass(frozen=True)
class Run:
    """How a run of `cidx index` went: whether it was killed, its seconds and changes up to then."""

    killed: bool
    seconds: float
    changes: Changes


def start_and_kill(tree: Tree, argv: list[str], aim: Aim) -> Run:
    watch = Watch(tree.root)
    started = time.monotonic()
    process = tree.spawn(*argv)
    pidfd = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(watch.descriptor, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    seen = Changes()
    try:
        while seen.all < aim.changes.all and seen.publishing < aim.changes.publishing:
            left = aim.seconds - (time.monotonic() - started)
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000)} if left > 0 else {}
            if not ready or pidfd in ready:
                break
            seen += watch.look()
        seconds = time.monotonic() - started
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        seen += watch.look()
    finally:
        os.close(pidfd)
        watch.close()
    expect(process.returncode in (0, -signal.SIGKILL), f"cidx index ends well, not with {err!r}")
    await_orphans()
    return Run(process.returncode != 0, seconds, seen)


def adopt_orphans() -> None:
    """Become the parent of what a killed process leaves running, so that its end can be seen."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def await_orphans() -> None:
    until = time.monotonic() + ORPHANS_S
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            expect(time.monotonic() < until, "no child outlives a killed run")
            time.sleep(0.005)


@dataclass(frozen=True)
class Disk:
    """What lies in an index folder, without opening anything: that would be the first recovery."""

    current: str
    # Of each base: the size of its vectors, and what full text committed.
    bases: dict[str, tuple[int, bytes]]
    segments: int

    @classmethod
    def look(cls, index: Path) -> "Disk":
        bases = [layout.Base(folder) for folder in index.glob("base-*")]
        return cls(
            current=_read(index / "current").decode(),
            bases={b.folder.name: (_size(b.vectors), _read(b.fulltext / "meta.json")) for b in bases},
            segments=sum(1 for base in bases for _ in base.fulltext.glob("*")),
        )

    def reached(self, before: "Disk") -> str:
        """What a run had done when it was killed, as far as the disk tells."""
        new = [parts for name, parts in self.bases.items() if name not in before.bases]
        if self.current != before.current:
            return "rebuild: pointer replaced"
        if new:
            vectors, committed = new[0]
            if b'"max_doc"' in committed:
                return "rebuild: full text committed"
            return "rebuild: vectors written" if vectors > 64 else "rebuild: begun"
        if any(parts[1] != before.bases[name][1] for name, parts in self.bases.items()):
            return "update: full text committed"
        if self.segments > before.segments:
            return "update: full text begun"
        return "update: vectors written" if self.bases != before.bases else "nothing written"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


@dataclass
class Report:
    kills: int = 0
    late: int = 0
    queries: int = 0
    compared: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    tenths: Counter[int] = field(default_factory=Counter)

    def lines(self, violations: int) -> Iterator[str]:
        yield "what the killed run had done:"
        for name, count in sorted(self.reached.items()):
            yield f"  {name:<44}{count:>5}"
        in_time = " ".join(str(self.tenths[tenth]) for tenth in range(10))
        yield f"by tenths of the run's usual time: {in_time}, later {self.tenths[10]}"
        yield (
            f"{self.kills} kills: {self.kills - self.late} inside the run, {self.late} after its end; "
            f"{self.queries} queries answered, {self.compared} indexes equal to a rebuild, {violations} violations"
        )


class Harness:
    """One repository and its kills. `published` is what the current generation says; None without one."""

    def __init__(self, place: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.tree = Tree(place)
        self.editor = Editor(self.tree, self.dice)
        self.report = Report()
        self._scratch = place / "scratch"
        self._stray: set[str] = set()
        self._published: Content | None = None
        self._usual: dict[str, Run] = {}

    def prepare(self) -> None:
        """Plant the repository and see how long each kind of run lasts when nobody kills it."""
        self.editor.plant()
        for kind in (FIRST, UPDATE, CLEAR):
            self.editor.change()
            self._usual[kind] = start_and_kill(self.tree, self._argv(kind), Aim())
        self._published = self._content()

    def step(self) -> None:
        self.editor.change()
        after = self.from_scratch()
        kind = self.dice.choice(RUNS)
        argv = self._argv(kind)
        before = Disk.look(self._index)
        run = start_and_kill(self.tree, argv, self._aim(kind))
        reached = Disk.look(self._index).reached(before) if run.killed else "ended before the kill"
        asked = self.dice.random() > UNASKED
        if asked:
            self.judge(after)
            if run.killed and reached.startswith("update: full text comm") and self._published == after:
                reached = "update: published"
        self._count(kind, run, reached)
        if not asked or self.dice.random() > AGAIN:
            self.index(after)

    def from_scratch(self) -> Content:
        """What an index of the tree as it is now has to say, made elsewhere and from nothing."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        repository = replace(self.tree.repository, folder=self._scratch)
        session, _, _ = self.tree.session()
        job = indexer.Job(settings=session.settings(repository).index, embedder=embedder.packaged())
        indexer.run(repository, job)
        with open_current(repository.index_folder) as snapshot:
            return content(snapshot)

    def judge(self, after: Content) -> None:
        """A query answers from the old generation or the new one, whole."""
        text = " ".join(self.dice.sample(WORDS, 3))
        ran = self.tree.process("query", "--json", "--limit", "0", text, CIDX_DAEMON_AUTO_INDEX="false")
        self.report.queries += 1
        if ran.code == 3:
            expect(self._published is None, f"a published generation answers, not {ran.out}")
            expect(ran.json["error"]["code"] == "not-indexed", "without an index the answer says so")
            return
        expect(ran.code in (0, 1) and not ran.err, f"a query answers, not {ran}")
        found = self._content()
        expect(found in (self._published, after), "the generation is the one before or the one after")
        expect(
            ran.json["fresh"] == (found["files"] == after["files"]), "the answer knows whether it is fresh"
        )
        spans = {(os.fsdecode(chunk[0]), *chunk[1:3]) for chunk in found["chunks"]}
        for hit in ran.json["hits"]:
            place = (hit["path"], hit["start_line"], hit["end_line"])
            expect(hit["text"] == lines_on_disk(self.tree.root, *place), f"{place} shows its lines")
            expect(place in spans or hit.get("stale", False), f"{place} is a chunk, or said to be stale")
        self._published = found

    def index(self, after: Content) -> None:
        """The next run brings everything in and cleans up."""
        ran = self.tree.process("index", "--json")
        expect(ran.code == 0, f"the next run succeeds, not {ran}")
        expect(self._content() == after, "the next run gives what a rebuild gives")
        self.report.compared += 1
        self._published = after
        # A run that finds nothing to do does not open full text.
        changed = any(ran.json[count] for count in ("rebuilt", "added", "changed", "removed"))
        bases = [*self._index.glob("base-*")]
        expect(bases == [layout.current(self._index).folder], f"one base is left, not {bases}")
        with self.tree.snapshot() as snapshot:
            rows = snapshot.catalogue.meta("rows")
            row_bytes = snapshot.vectors.raw(slice(0, 0)).dtype.itemsize  # type: ignore[arg-type]
            expect(_size(bases[0] / "vectors") == 64 + rows * row_bytes, "vectors nobody counts are cut off")
            living = {chunk.id for chunk in snapshot.catalogue.all_chunks()}
            orphans = snapshot.fulltext.chunk_ids() - living - set(snapshot.catalogue.dead())
        expect(not (changed and orphans), f"full text holds no orphans, not {len(orphans)}")
        # Who waits for tantivy's merges is woken before their garbage is collected (segment_updater.rs), so a
        # process that ends then leaves what the last merge replaced to the next commit.
        stray = stray_segments(bases[0] / "fulltext") if changed else set()
        expect(not stray & self._stray, "no segment that nobody uses outlives the next commit")
        self._stray = stray

    @property
    def _index(self) -> Path:
        return self.tree.root / FOLDER / "index"

    def _argv(self, kind: str) -> list[str]:
        if kind == FIRST:
            shutil.rmtree(self.tree.root / FOLDER, ignore_errors=True)
            self._published = None
        return ["index", "--clear"] if kind == CLEAR else ["index"]

    def _aim(self, kind: str) -> Aim:
        usual = self._usual[kind]
        match self.dice.randrange(3):
            case 0:
                return Aim(seconds=self.dice.uniform(0, usual.seconds))
            case 1:
                return Aim(changes=Changes(self.dice.randint(1, max(1, usual.changes.all)), NEVER))
            case _:
                return Aim(changes=Changes(NEVER, self.dice.randint(1, max(1, usual.changes.publishing))))

    def _count(self, kind: str, run: Run, reached: str) -> None:
        self.report.kills += 1
        self.report.late += not run.killed
        self.report.reached[reached] += 1
        self.report.tenths[min(10, int(10 * run.seconds / self._usual[kind].seconds))] += 1

    def _content(self) -> Content:
        with self.tree.snapshot() as snapshot:
            return content(snapshot)


def stray_segments(fulltext: Path) -> set[str]:
    """The segments that lie in the folder but not in the commit."""
    used = {
        entry["segment_id"].replace("-", "")
        for entry in json.loads(_read(fulltext / "meta.json"))["segments"]
    }
    lying = {file.name.partition(".")[0] for file in fulltext.glob("[0-9a-f]*.*")}
    return lying - used


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that is kept when something went wrong."""
    place = Path(tempfile.mkdtemp(prefix="cidx-kill-"))
    yield place
    shutil.rmtree(place)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    adopt_orphans()
    with workplace() as place:
        harness = Harness(place, options.seed)
        try:
            harness.prepare()
            for _ in range(options.kills):
                harness.step()
        except (Violation, CidxError, AssertionError) as broken:
            print(*harness.report.lines(violations=1), sep="\n")
            print(f"VIOLATION at seed {options.seed}, step {harness.report.kills}: {broken}")
            print(f"the repository is kept in {place}")
            os._exit(1)
    print(*harness.report.lines(violations=0), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
