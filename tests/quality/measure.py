"""How good the hits are: NDCG@10 of labelled queries over released sources, through the real index.

    python tests/quality/fetch.py --cache FOLDER
    python tests/quality/measure.py --cache FOLDER [--labels FOLDER] [--mode fts] [--without PART …] [--docstrings]

The labels are no part of this repository; they are looked for in `../shared/eval` beside it. With `--ablations` every
part of the ranking is left out in turn, and the table tells what that costs.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

if str(Path.cwd()) not in sys.path:
    sys.path.insert(0, str(Path.cwd()))

from cidx.api.query import Mode, Query
from cidx.search import ranking, retrieve
from cidx.store.snapshot import Snapshot
from cidx.text import embedder
from tests.quality import docstrings
from tests.quality.fetch import LABELLED, PACKAGES
from tests.quality.metric import DEPTH, Target, mean, ndcg
from tests.quality.sources import Sources

LANGUAGES = {
    "flask": "python", "click": "python", "httpx": "python", "libuv": "c", "nlohmann-json": "cpp", "cobra": "go",
    "axum": "rust", "gson": "java", "sinatra": "ruby", "monolog": "php", "express": "javascript", "zod": "typescript",
}  # fmt: skip
CATEGORIES = ("symbol", "semantic", "architecture")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with what has to be found."""

    repository: str
    category: str
    text: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """How well a query was answered, and with what."""

    asked: Asked
    ndcg: float
    paths: tuple[str, ...]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cache", type=Path, required=True, help="what fetch.py made")
    arguments.add_argument("--labels", type=Path, default=Path(__file__).parents[3] / "shared" / "eval")
    arguments.add_argument("--mode", choices=[str(mode) for mode in Mode], default="hybrid")
    arguments.add_argument("--without", choices=sorted(ranking.PARTS), action="append", default=[])
    arguments.add_argument("--ablations", action="store_true", help="each part left out in turn")
    arguments.add_argument("--docstrings", action="store_true", help="the docstring view instead")
    arguments.add_argument("--only", action="append", help="only these repositories")
    arguments.add_argument(
        "--show", type=float, metavar="BELOW", help="queries with a lower score, and their hits"
    )
    arguments.add_argument("--clear", action="store_true", help="index anew")
    given = arguments.parse_args()

    asked = list(docstring_queries(given.cache) if given.docstrings else labelled(given.labels))
    asked = [one for one in asked if not given.only or one.repository in given.only]
    folder = given.cache.absolute() / ("docstrings" if given.docstrings else "labelled")
    names = sorted({one.repository for one in asked})
    trees = {name: Sources(folder / name) for name in names}
    snapshots = dict(opened(trees, clear=given.clear))
    if not given.docstrings:
        asked = list(with_targets_present(asked, trees))

    def run(without: Iterable[str]) -> list[Found]:
        with parts_left_out(without):
            return [answer(one, trees, snapshots, Mode(given.mode)) for one in asked]

    found = run(given.without)
    report(found, labelled=not given.docstrings)
    if given.show is not None:
        show(found, below=given.show)
    if given.ablations:
        print(f"\n{'without':24} {'all':>7} " + " ".join(f"{name:>12}" for name in CATEGORIES))
        for part in ["nothing", *sorted(ranking.PARTS)]:
            line(part, run([*given.without, part] if part != "nothing" else given.without), CATEGORIES)
    return 0


def labelled(folder: Path) -> Iterator[Asked]:
    for name in LABELLED:
        for label in json.loads((folder / "annotations" / f"{name}.json").read_text()):
            targets = [Target.of(one) for one in [*label["relevant"], *label.get("secondary", [])]]
            yield Asked(name, label["category"], label["query"], tuple(targets))


def docstring_queries(cache: Path) -> Iterator[Asked]:
    for name in PACKAGES:
        tree = cache.absolute() / "docstrings" / name
        docstrings.build(cache.absolute() / "packages" / name, tree)
        for text, *place in json.loads(tree.with_suffix(".json").read_text()):
            yield Asked(name, "docstring", text, (Target(*place),))


def opened(trees: dict[str, Sources], *, clear: bool) -> Iterator[tuple[str, Snapshot]]:
    for name, tree in trees.items():
        tree.index(*["--clear"] * clear)
        yield name, tree.snapshot()


def with_targets_present(asked: Sequence[Asked], trees: dict[str, Sources]) -> Iterator[Asked]:
    """Queries with the targets that these sources have; what is lost is told."""
    lost = 0
    for one in asked:
        here = tuple(target for target in one.targets if (trees[one.repository].root / target.path).is_file())
        lost += len(one.targets) - len(here)
        if here:
            yield replace(one, targets=here)
    print(
        f"{len(asked)} queries, {lost} of {sum(len(one.targets) for one in asked)} targets are not in these sources"
    )


@contextmanager
def parts_left_out(parts: Iterable[str]) -> Iterator[None]:
    """Rank without some parts."""
    before = retrieve.WEIGHTS
    for part in parts:
        retrieve.WEIGHTS = ranking.PARTS[part](retrieve.WEIGHTS)
    try:
        yield
    finally:
        retrieve.WEIGHTS = before


def answer(asked: Asked, trees: dict[str, Sources], snapshots: dict[str, Snapshot], mode: Mode) -> Found:
    hits = retrieve.retrieve(
        snapshots[asked.repository],
        Query(text=asked.text, mode=mode, limit=DEPTH),
        embedder=embedder.packaged(),
        root=trees[asked.repository].root,
    )
    return Found(
        asked,
        ndcg(asked.targets, hits),
        tuple(f"{h.path}:{h.start_line}-{h.end_line} {h.score:.3f} {h.symbol}" for h in hits),
    )


def report(found: Sequence[Found], *, labelled: bool) -> None:
    categories = CATEGORIES if labelled else ()
    print(f"{'':24} {'all':>7} " + " ".join(f"{name:>12}" for name in categories) + "  queries")
    by_repository = defaultdict(list)
    for one in found:
        by_repository[one.asked.repository].append(one)
    for name, its in by_repository.items():
        line(f"{name} ({LANGUAGES[name]})" if labelled else name, its, categories, count=True)
    line("mean over repositories", found, categories, count=True)


def line(name: str, found: Sequence[Found], categories: Sequence[str], *, count: bool = False) -> None:
    values = [over_repositories(found)]
    values += [mean(one.ndcg for one in found if one.asked.category == kind) for kind in categories]
    print(f"{name:24} {values[0]:7.3f} " + " ".join(f"{value:12.3f}" for value in values[1:]), end="")
    print(f"  {len(found)}" if count else "")


def over_repositories(found: Sequence[Found]) -> float:
    by_repository = defaultdict(list)
    for one in found:
        by_repository[one.asked.repository].append(one.ndcg)
    return mean(mean(its) for its in by_repository.values())


def show(found: Sequence[Found], *, below: float) -> None:
    for one in found:
        if one.ndcg < below:
            print(f"\n{one.ndcg:.2f} {one.asked.repository}/{one.asked.category}: {one.asked.text}")
            print("     wanted", *sorted({target.path for target in one.asked.targets}))
            for path in one.paths:
                print("       ", path)


if __name__ == "__main__":
    sys.exit(main())
