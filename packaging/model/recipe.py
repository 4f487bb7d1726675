"""The steps from wheels to the packaged model, in order: mine, choose terms, ask the teacher, train, measure, export.

Run by `make.py`, in its environment, with the folder of downloads. Writes the model and `manifest.json`, which says
what it was made of and what it reached.
"""

import hashlib
import json
import platform
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import corpus  # noqa: E402  (after the path is set)
import evaluation  # noqa: E402
import training  # noqa: E402
import vocabulary  # noqa: E402
from teacher import Teacher  # noqa: E402

from cidx.text import embedder, tokenizer  # noqa: E402
from cidx.text.tokenizer import words  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

VERSION = "static-3"
DIMENSIONS = 192
# Rows for all terms that have none of their own.
SHARED_ROWS = 4096
EPOCHS = 4
SEED = 20261121
# The share of the pairs of each kind that a pass sees: names and comments are the more numerous, and the less like
# what somebody asks.
SHARES = {"docstring": 1.0, "comment": 0.3, "name": 0.3}
# A frequent term begins small: weight a / (a + share of the pairs that say it).
_SIF = 0.02
# So large begins a whole identifier beside its parts, and a shared row.
_WHOLE, _SHARED = 0.1, 0.8
_SAID_WORDS = 60
# Numbers beyond this share of all are cut off by the export: a finer scale for the others is worth more.
_CUT = 0.0005

Mined = list[tuple[str, str, list[str], list[str]]]


def run(work: Path) -> None:
    sources = {"python": Path(sysconfig.get_paths()["stdlib"])}
    sources |= {
        wheel.name.partition("-")[0].lower(): wheel for wheel in sorted((work / "sources").glob("*.whl"))
    }
    mined = mine(sources)
    _tell(f"{len(mined):,} pairs: {dict(Counter(kind for _, kind, _, _ in mined))}")
    teacher = Teacher(next((work / "teacher").glob("*.whl")))
    found = vocabulary.collect([said + code for _, _, said, code in mined], teacher.words)
    _tell(f"{len(found.terms):,} terms")
    table = initial(teacher.embed(found.spoken), found)
    model = Pooling(found.terms)
    asked = [evaluation.questions(wheel) for wheel in sorted((work / "evaluation").glob("*.whl"))]
    test = [model.questions(one) for one in asked]
    _tell(f"distilled: {model.score(table, test)}")
    training.train(
        table,
        model.examples(mined),
        epochs=EPOCHS,
        told=lambda epoch, loss: _tell(f"epoch {epoch + 1}: loss {loss:.3f}  {model.score(table, test)}"),
    )
    rows = quantised(table)
    embedder.dump(embedder.MODEL_FILE, version=VERSION, terms=found.terms, table=rows)
    report(sources, mined, len(found.terms), evaluate(asked))


def mine(sources: dict[str, Path]) -> Mined:
    """The pairs of all sources, as words."""
    found: Mined = []
    for name, source in sources.items():
        pairs = corpus.unique(pair for file in corpus.files(source) for pair in corpus.pairs(file))
        found += [
            (name, pair.kind, corpus.shortened(pair.text)[:_SAID_WORDS], corpus.shortened(pair.code))
            for pair in pairs
        ]
        _tell(f"mined {name}")
    return found


def initial(taught: "Floats", found: vocabulary.Vocabulary) -> "Floats":
    """The main directions of what was taught, frequent terms and whole identifiers smaller; shared rows by chance."""
    shares = np.array(found.shares)
    centred = taught - taught.mean(axis=0)
    directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :DIMENSIONS]
    own = centred @ directions
    own *= (_SIF / (_SIF + shares))[:, None] / np.linalg.norm(own, axis=1, keepdims=True)
    own[found.simple :] *= _WHOLE
    shared = np.random.default_rng(SEED).normal(
        scale=_SHARED / np.sqrt(DIMENSIONS), size=(SHARED_ROWS, DIMENSIONS)
    )
    return np.concatenate([own, shared]).astype(np.float32)


class Pooling:
    """Documents as the rows and weights that the embedder would pool, for a table of floats."""

    def __init__(self, terms: Sequence[str]) -> None:
        self._known = np.array(sorted(map(embedder.key_of, terms)), dtype=np.uint32)
        self._rows_of = cache(self._find_rows)
        # The embedder's rows are in the order of their keys, the recipe's in that of the vocabulary.
        self._order = np.argsort([embedder.key_of(term) for term in terms])
        self._terms = len(terms)

    def matrix(self, documents: Sequence[Sequence[str]]) -> Any:
        weighted = []
        for document in documents:
            counts = Counter(document)
            weighted.append(
                [
                    (row, float(embedder.weight(counts[word])))
                    for word in counts
                    for row in self._rows_of(word)
                ]
            )
        found = training.matrix(weighted, self._terms + SHARED_ROWS)
        own = found.indices < self._terms
        found.indices[own] = self._order[found.indices[own]]
        found.has_sorted_indices = False
        return found

    def _find_rows(self, word: str) -> Sequence[int]:
        found = tokenizer.terms(word)
        rows: list[int] = embedder.rows_of(found, [len(found)], self._known, SHARED_ROWS)[0].tolist()
        return rows

    def examples(self, mined: Mined) -> list[training.Examples]:
        found = []
        for kind, share in SHARES.items():
            pairs = [(said, code) for _, its, said, code in mined if its == kind]
            said, code = (self.matrix([pair[side] for pair in pairs]) for side in (0, 1))
            found.append(training.Examples(said, code, share))
        return found

    def questions(self, asked: evaluation.Questions) -> tuple[Any, Any, Sequence[int]]:
        queries, documents = (
            self.matrix(list(map(words, texts))) for texts in (asked.queries, asked.documents)
        )
        return queries, documents, asked.answers

    def score(self, table: "Floats", test: Sequence[tuple[Any, Any, Sequence[int]]]) -> evaluation.Score:
        found = (
            evaluation.ranks_among(_unit(queries @ table), _unit(documents @ table), answers)
            for queries, documents, answers in test
        )
        return evaluation.score(rank for ranks in found for rank in ranks)


def quantised(table: "Floats") -> "NDArray[np.int8]":
    """Whole numbers on one scale, so that the embedder adds them exactly. The few beyond it are cut off."""
    scale = np.quantile(np.abs(table), 1 - _CUT) / 127
    return np.clip(np.rint(table / scale), -127, 127).astype(np.int8)


def evaluate(asked: Sequence[evaluation.Questions]) -> dict[str, Any]:
    """What the exported model reaches."""
    model = embedder.load(embedder.MODEL_FILE)

    def embed(texts: Sequence[str]) -> "Floats":
        return model.embed([Counter(words(text)) for text in texts])

    ranks = {one.package: evaluation.ranks(one, embed) for one in asked}
    scores = {package: evaluation.score(found) for package, found in ranks.items()}
    scores["all queries"] = evaluation.score(rank for found in ranks.values() for rank in found)
    return {
        name: {"ndcg": round(score.ndcg, 4), "recall": round(score.recall, 4)}
        for name, score in scores.items()
    }


def report(sources: dict[str, Path], mined: Mined, terms: int, reached: dict[str, Any]) -> None:
    counts = Counter((source, kind) for source, kind, _, _ in mined)
    manifest = {
        "version": VERSION,
        "terms": terms,
        "shared_rows": SHARED_ROWS,
        "dimensions": DIMENSIONS,
        "seed": SEED,
        "epochs": EPOCHS,
        "sha256": hashlib.sha256(embedder.MODEL_FILE.read_bytes()).hexdigest(),
        "sources": {
            name: {
                "version": platform.python_version() if source.is_dir() else source.name.split("-")[1],
                "sha256": None if source.is_dir() else hashlib.sha256(source.read_bytes()).hexdigest(),
                "pairs": {kind: counts[name, kind] for kind in SHARES},
            }
            for name, source in sources.items()
        },
        "docstring_to_function": reached,
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    _tell(f"{VERSION}: {embedder.MODEL_FILE.stat().st_size:,} bytes, {reached['all queries']}")


def _unit(vectors: "Floats") -> "Floats":
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


_STARTED = time.monotonic()


def _tell(what: str) -> None:
    print(f"{time.monotonic() - _STARTED:6.0f} s  {what}", flush=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
