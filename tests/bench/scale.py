"""Made-up repositories of growing size: what an index, a look without a change, an edit and a query cost in each.

    python tests/bench/scale.py [--lines 125000 250000 500000 1000000 2000000] [--seed 1] [--plot FILE.svg]

A repository has a file for every sixty lines, in eight languages, its names made of the words of trades. Seconds and
memory are of `cidx index` in a process with all that it starts (`tests/bench/index.py` says how they are taken);
queries are asked in this process, which has the index open. Linux only.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cidx.api.query import Query
from cidx.repository.repository import FOLDER, INDEX
from cidx.search.retrieve import retrieve
from cidx.store.snapshot import open_current
from cidx.text import embedder
from tests.bench.chart import Panel, svg
from tests.bench.index import CHECKOUT, Cost, indexed_bytes, run, size_of
from tests.kit import Tree

SIZES = (125_000, 250_000, 500_000, 1_000_000, 2_000_000)
# Of half of the files; with the function that goes beyond it, files have 61 on average.
LINES_A_FILE = 125 / 3
CIDX = [sys.executable, "-m", "cidx"]
IMPORTS = [sys.executable, "-c", "import click, numpy, tantivy, sqlite3"]
REPEATS, EDITS, QUERIES = 5, 5, 200

_NOUNS = """
account address agent alarm archive article asset audit balance batch beacon bill block bridge budget buffer
cache calendar camera cargo cart channel claim client clock cluster column comment contract cookie counter
courier course coupon currency cursor customer deck delivery device digest discount document domain driver
editor element engine entry event exam export field filter fleet folder forecast form frame gateway grade graph
grid group harbour header image import index invoice item journal kernel label layer layout ledger lesson level
library license limit link loan lock log margin market matrix member menu merge message meter model module
monitor network node note object offer option order packet page panel parcel parser patch path patient payment
period permit photo pixel place plan player point policy pool port price printer process product profile project
proof queue quota range rate record region release report request reserve result review role room route rule
sample scanner schedule score screen season segment sensor series server session shape shift signal snapshot
socket source station status stock storage store stream student supplier surface switch symbol table tag target
task tax team template tenant term text theme thread ticket timer token track trade train transfer tree trigger
truck unit user value vault vector vendor version video view visit voucher wallet warehouse weight widget window
worker zone
"""
_VERBS = """
accept add align apply approve assign attach build cancel change check clean close collect compare compute
convert copy count create decode delete detect draw drop encode expand fetch fill find flush format freeze
gather grant hide insert join limit list load lock map mark match measure merge move normalise notify open parse
pause pick plan prune publish push read rebuild reject release remove rename render repair reset resolve restore
retry rotate save scan schedule select send settle share shrink sign skip sort split start stop store submit
sync trim unlock update validate verify wait watch wrap write
"""

NOUNS, VERBS = _NOUNS.split(), _VERBS.split()


@dataclass(frozen=True)
class Measured:
    """Of one repository."""

    files: int
    lines: int
    chunks: int
    built: Cost
    share: float
    unchanged_s: float
    status_s: float
    imports_s: float
    query_ms: float
    slow_query_ms: float
    publish_s: float

    def row(self) -> str:
        return (
            f"| {self.lines:,} | {self.files:,} | {self.chunks:,} | {self.built.wall_s:.1f} s "
            f"| {self.built.cpu_s:.1f} s | {self.built.cpu_s / self.lines * 1e6:.1f} µs "
            f"| {self.built.peak_bytes / 1e6:.0f} MB | {self.share:.2f} "
            f"| {self.unchanged_s:.2f} s / {self.status_s:.2f} s / {self.imports_s:.2f} s "
            f"| {self.publish_s * 1e3:.0f} ms | {self.query_ms:.1f} ms, {self.slow_query_ms:.1f} ms |"
        )


HEAD = (
    "| lines | files | chunks | wall | CPU | CPU a line | memory | index / files "
    "| no change / `git status` / imports | publishing an edit | query p50, p99 |\n" + "|---" * 11 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--plot", type=Path, help="for a picture of a query's latency by the number of chunks"
    )
    options = parser.parse_args()
    print(HEAD)
    found = []
    for lines in options.lines:
        with tempfile.TemporaryDirectory(prefix="cidx-scale-") as place:
            found.append(measure(Path(os.path.realpath(place)), lines, options.seed))
            print(found[-1].row(), flush=True)
    if options.plot:
        options.plot.write_text(plot(found))


def plot(found: Sequence[Measured]) -> str:
    latencies = {
        "p50": [(one.chunks / 1000, one.query_ms) for one in found],
        "p99": [(one.chunks / 1000, one.slow_query_ms) for one in found],
    }
    title = "A hybrid query never asked before, in a process that has the index open"
    return svg(title, [Panel("latency, ms", latencies)], axis="thousand chunks")


def measure(place: Path, lines: int, seed: int) -> Measured:
    tree = Tree(place)
    files, written = plant(tree.root, lines, random.Random(seed))
    tree.commit()
    environment = tree.process_environment(PYTHONPATH=str(CHECKOUT), CIDX_LOG="warning")
    built = run([*CIDX, "index"], tree.root, environment)
    share = size_of(tree.root / FOLDER / INDEX) / indexed_bytes(tree.root)
    unchanged_s, status_s, imports_s = (
        statistics.median(run(command, tree.root, environment).wall_s for _ in range(REPEATS))
        for command in ([*CIDX, "index"], ["git", "status", "--short"], IMPORTS)
    )
    with open_current(tree.root / FOLDER / INDEX) as snapshot:
        _, chunks = snapshot.catalogue.counts()
        times = sorted(query_times(lambda text: ask(snapshot, text, tree.root), random.Random(seed)))
    return Measured(
        files=files,
        lines=written,
        chunks=chunks,
        built=built,
        share=share,
        unchanged_s=unchanged_s,
        status_s=status_s,
        imports_s=imports_s,
        query_ms=statistics.median(times) * 1e3,
        slow_query_ms=times[len(times) * 99 // 100] * 1e3,
        publish_s=statistics.median(publish_an_edit(tree, environment) for _ in range(EDITS)),
    )


def ask(snapshot: object, text: str, root: Path) -> None:
    retrieve(snapshot, Query(text=text), embedder=embedder.packaged(), root=root)


def query_times(asked: Callable[[str], None], dice: random.Random) -> Iterator[float]:
    """Words, a symbol, or both in turn, each for the first time; the caches of the system are warm."""
    for number in range(-QUERIES // 10, QUERIES):
        verb, noun, other = dice.choice(VERBS), dice.choice(NOUNS), dice.choice(NOUNS)
        text = (
            f"where do we {verb} the {noun} of a {other}",
            f"{verb}_{noun}_{other}",
            f"{verb} each {noun.title()}{other.title()}",
        )[number % 3]
        started = time.perf_counter()
        asked(text)
        if number >= 0:
            yield time.perf_counter() - started


def publish_an_edit(tree: Tree, environment: dict[str, str]) -> float:
    file = next(tree.root.rglob("*.py"))
    file.write_text(f"{file.read_text()}\n\ndef edited_{time.time_ns()}():\n    return 1\n")
    done = subprocess.run(
        [*CIDX, "index", "--json"], cwd=tree.root, env=environment, capture_output=True, check=True
    )
    return float(json.loads(done.stdout)["publish_s"])


# Sources


def plant(root: Path, lines: int, dice: random.Random) -> tuple[int, int]:
    """Write files until they have so many lines; how many files and lines there are."""
    files = written = 0
    while written < lines:
        topic = dice.sample(NOUNS, 12)
        write, extension = dice.choice(LANGUAGES)
        text = "".join(source(write, topic, dice, dice.lognormvariate(0, 0.6) * LINES_A_FILE))
        folder = root / f"{NOUNS[files // 1600 % len(NOUNS)]}/{NOUNS[files // 40 % len(NOUNS)]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{topic[0]}_{topic[1]}_{files}.{extension}").write_text(text)
        files += 1
        written += text.count("\n")
    return files, written


class Words:
    """Names of one function, from the words of its file."""

    def __init__(self, topic: list[str], dice: random.Random) -> None:
        self.dice = dice
        self.topic = topic
        self.verb = dice.choice(VERBS)
        self.a, self.b, self.c, self.d = dice.sample(topic, 4)
        self.number = dice.randrange(1000)

    @property
    def other(self) -> str:
        return self.dice.choice(VERBS)


def source(
    write: Callable[[Words, int], list[str]], topic: list[str], dice: random.Random, lines: float
) -> Iterator[str]:
    count = 0
    while not count or count < lines:
        text = write(Words(topic, dice), dice.randint(2, 12))
        count += len(text) + 2
        yield "\n".join([*text, "", ""]) + "\n"


def python(w: Words, steps: int) -> list[str]:
    body = (
        lambda: [f"    {w.a} = self.{w.other}_{w.b}({w.c}, {w.dice.randrange(99)})"],
        lambda: [
            f"    if {w.a}.{w.b} > {w.dice.randrange(99)}:",
            f"        raise ValueError('no {w.c} for {w.d}')",
        ],
        lambda: [f"    for {w.d} in {w.a}.{w.c}s:", f"        {w.b}.{w.other}({w.d}.{w.c})"],
        lambda: [f"    {w.c} = [{w.other}_{w.d}(one) for one in {w.b}s if one.{w.a}]"],
    )
    head = f"def {w.verb}_{w.a}_{w.b}(self, {w.a}, {w.b}, {w.c}=None, {w.d}=()):"
    doc = f'    """{w.verb.title()} the {w.a} of a {w.b} when its {w.c} has no {w.d}."""'
    return [head, doc, *chosen(w, body, steps), f"    return {w.a}"]


def javascript(w: Words, steps: int) -> list[str]:
    a, b, c, d = w.a, w.b, w.c, w.d
    body = (
        lambda: [f"  const {c}{w.dice.randrange(99)} = await {w.other}{b.title()}({a}, {{ {d}: true }});"],
        lambda: [f"  if (!{a}.{b}) {{", f"    throw new Error(`missing {c} of ${{{d}}}`);", "  }"],
        lambda: [f"  {a}.{d}s.forEach((one) => {b}.{w.other}(one.{c}));"],
    )
    head = f"export async function {w.verb}{a.title()}{b.title()}({a}, {b}, {d}) {{"
    return [
        f"// {w.verb.title()}s one {a} for the {b}.",
        head,
        *chosen(w, body, steps),
        f"  return {a};",
        "}",
    ]


def go(w: Words, steps: int) -> list[str]:
    a, b, c, d = w.a, w.b, w.c, w.d
    body = (
        lambda: [f"\t{c}{w.dice.randrange(99)}, err := {w.other}{b.title()}(ctx, {a})", "\tif err != nil {",
                 f'\t\treturn fmt.Errorf("{w.verb} {d}: %w", err)', "\t}"],
        lambda: [f"\tfor _, {d} := range {a}.{c.title()}s {{", f"\t\t{b}.{w.other.title()}({d})", "\t}"],
        lambda: [f"\t{b}.{c.title()} = {w.other}{d.title()}({a}.{d.title()})"],
    )  # fmt: skip
    receiver = f"({a[0]} *{a.title()}{b.title()})"
    head = f"func {receiver} {w.verb.title()}{c.title()}(ctx context.Context, {a} {b.title()}) error {{"
    return [
        f"// {w.verb.title()}{c.title()} asks the {b} for it.",
        head,
        *chosen(w, body, steps),
        "\treturn nil",
        "}",
    ]


def java(w: Words, steps: int) -> list[str]:
    a, b, c, d = w.a, w.b, w.c, w.d
    body = (
        lambda: [f"        {c.title()} {c}{w.dice.randrange(99)} = {b}.{w.other}{d.title()}({a});"],
        lambda: [f"        if ({a}.get{b.title()}() == null) {{", f'            throw new Missing("{c} {d}");',
                 "        }"],
        lambda: [f"        {b}.{w.other}({a}.stream().map({c.title()}::get{d.title()}).toList());"],
    )  # fmt: skip
    head = f"    public {b.title()} {w.verb}{c.title()}({a.title()} {a}, {b.title()} {b}) {{"
    name = f"class {a.title()}{b.title()}{w.verb.title()}{w.number} extends {c.title()}{d.title()} {{"
    return [
        name,
        f"    /** {w.verb.title()} a {c}. */",
        head,
        *chosen(w, body, steps),
        f"        return {b};",
        "    }",
        "}",
    ]


def rust(w: Words, steps: int) -> list[str]:
    a, b, c, d = w.a, w.b, w.c, w.d
    body = (
        lambda: [f"    let {c}_{w.dice.randrange(99)} = {w.other}_{b}(&{a})?;"],
        lambda: [f"    for {d} in {a}.{c}s.iter() {{", f"        {b}.{w.other}({d}.{c}.clone());", "    }"],
        lambda: [f"    {b}.{c} = match {a}.{d} {{", f"        Some(one) => one.{w.other}(),",
                 "        None => return Ok(()),", "    };"],
    )  # fmt: skip
    head = f"pub fn {w.verb}_{a}_{b}({a}: &{a.title()}, {b}: &mut {b.title()}) -> Result<(), {c.title()}Error> {{"
    return [f"/// {w.verb.title()}s the {a}.", head, *chosen(w, body, steps), "    Ok(())", "}"]


def c(w: Words, steps: int) -> list[str]:
    a, b, c, d = w.a, w.b, w.c, w.d
    body = (
        lambda: [f"    {b}->{c} = {w.other}_{d}({a}, {w.dice.randrange(999)});"],
        lambda: [
            f"    if ({a}->{b} == NULL) {{",
            f"        {w.other}_{c}({d});",
            "        return -1;",
            "    }",
        ],
        lambda: [f"    for (size_t i = 0; i < {a}->{c}_count; i++)", f"        {w.other}_{b}(&{a}->{c}[i]);"],
    )
    head = f"static int {w.verb}_{a}_{b}(struct {a} *{a}, struct {b} *{b}, int {d})"
    return [
        f"/* {w.verb.title()}s a {a} until its {b} is gone. */",
        head,
        "{",
        *chosen(w, body, steps),
        "    return 0;",
        "}",
    ]


def ruby(w: Words, steps: int) -> list[str]:
    body = (
        lambda: [f"  {w.a}.{w.other}_{w.c}({w.b}, {w.d}: {w.dice.randrange(99)})"],
        lambda: [f"  return if {w.a}.{w.b}.nil? || {w.c}.{w.d}?"],
        lambda: [f"  {w.a}.{w.c}s.each do |{w.d}|", f"    {w.b}.{w.other}({w.d})", "  end"],
    )
    head = f"def {w.verb}_{w.a}_{w.b}({w.a}, {w.b}, {w.c} = nil)"
    return [
        f"# {w.verb.title()} what the {w.a} has of {w.d}.",
        head,
        *chosen(w, body, steps),
        f"  {w.a}",
        "end",
    ]


def chosen(w: Words, body: tuple[Callable[[], list[str]], ...], steps: int) -> list[str]:
    return [line for _ in range(steps) for line in w.dice.choice(body)()]


LANGUAGES = (
    (python, "py"), (javascript, "js"), (javascript, "ts"), (go, "go"), (java, "java"), (rust, "rs"), (c, "c"),
    (ruby, "rb"),
)  # fmt: skip


if __name__ == "__main__":
    main()
