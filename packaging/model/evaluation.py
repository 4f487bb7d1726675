"""Docstring to function: how well a model finds a function by what its docstring says of it.

Of each package up to 3,000 functions, without their docstrings, are what is searched; the first paragraphs of up to
150 docstrings are what is asked. The one right answer is the function that the docstring was taken from.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path

import corpus
import numpy as np

SEED = 20261121
FUNCTIONS, QUERIES = 3000, 150
DEPTH = 10
# A docstring of fewer words ("Return self.") could be anybody's.
_LEAST_WORDS = 4
_LEAST_LINES = 3


@dataclass(frozen=True, slots=True)
class Questions:
    """One package: documents, queries, and which document answers each."""

    package: str
    documents: Sequence[str]
    queries: Sequence[str]
    answers: Sequence[int]


@dataclass(frozen=True, slots=True)
class Score:
    ndcg: float
    recall: float

    def __str__(self) -> str:
        return f"NDCG@{DEPTH} {self.ndcg:.3f}  recall@{DEPTH} {self.recall:.3f}"


def questions(source: Path) -> Questions:
    """What is asked of a wheel: always the same for the same wheel."""
    package = source.name.partition("-")[0].lower()
    found = list(_functions(source))
    chance = random.Random(SEED)
    found = chance.sample(found, min(FUNCTIONS, len(found)))
    said = [corpus.paragraph(function.docstring) for function in found]
    asked = [
        number
        for number, text in enumerate(said)
        if len(corpus.words(text)) >= _LEAST_WORDS and said.count(text) == 1
    ]
    answers = chance.sample(asked, min(QUERIES, len(asked)))
    documents = [function.source for function in found]
    return Questions(package, documents, [said[number] for number in answers], answers)


def _functions(source: Path) -> Iterable[corpus.Function]:
    for file in corpus.files(source, every=True):
        if "/tests/" not in f"/{file.path}" and file.path.endswith(".py"):
            for function in corpus.functions(file.text):
                if not function.is_class and function.source.count("\n") + 1 >= _LEAST_LINES:
                    yield function


def score(ranks: Iterable[int]) -> Score:
    """Of the ranks of the right answers, from 0."""
    gains = [(1 / log2(rank + 2), 1.0) if rank < DEPTH else (0.0, 0.0) for rank in ranks]
    ndcg, recall = np.mean(gains, axis=0) if gains else (0.0, 0.0)
    return Score(float(ndcg), float(recall))


def ranks(asked: Questions, embed: Callable[[Sequence[str]], "np.ndarray"]) -> list[int]:
    """Where the right answers come, from 0."""
    return ranks_among(embed(asked.queries), embed(asked.documents), asked.answers)


def ranks_among(queries: "np.ndarray", documents: "np.ndarray", answers: Sequence[int]) -> list[int]:
    """The same of unit vectors, by cosine. Equals count against."""
    cosines = queries @ documents.T
    right = cosines[np.arange(len(answers)), answers]
    return [int(rank) for rank in (cosines >= right[:, None]).sum(axis=1) - 1]
