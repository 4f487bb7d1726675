"""Trains a table of word vectors on pairs: what is said comes nearer to its code than to all other code of its batch.

Symmetric contrastive loss over a batch (softmax of scaled cosines, both ways), Adam that touches only the rows of a
batch. A batch holds pairs of one kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SEED = 20261121
BATCH = 1024
SCALE = 14.0
RATE = 0.003
# So many terms of a text are left out by chance, so that no pair is known by one of them.
LEFT_OUT = 0.1
_BETA, _BETA_SQUARED, _EPSILON = 0.9, 0.98, 1e-3
# Adam divides by the root of a row's own second moment; by less of it, and the more of that of all rows, what is said
# seldom stays nearer to where the teacher put it.
_OWN = 0.25


@dataclass(frozen=True, slots=True)
class Examples:
    """Pairs of one kind, terms of what is said and of the code as rows of two matrices; the share that a pass sees."""

    said: csr_matrix
    code: csr_matrix
    share: float


@dataclass(slots=True)
class Adam:
    """Moments of a table, of which each step touches some rows: the first of each number, the second of each row."""

    table: "Floats"
    first: "Floats" = field(init=False)
    second: "Floats" = field(init=False)
    usual: float = 0.0
    steps: int = 0

    def __post_init__(self) -> None:
        self.first = np.zeros_like(self.table)
        self.second = np.zeros(len(self.table), dtype=np.float32)

    def step(self, rows: "NDArray[np.intp]", gradient: "Floats", rate: float) -> None:
        self.steps += 1
        first = self.first[rows] * np.float32(_BETA) + gradient * np.float32(1 - _BETA)
        squares = np.einsum("ij,ij->i", gradient, gradient) / np.float32(gradient.shape[1])
        second = self.second[rows] * np.float32(_BETA_SQUARED) + squares * np.float32(1 - _BETA_SQUARED)
        self.first[rows], self.second[rows] = first, second
        self.usual = self.usual * _BETA_SQUARED + float(squares.mean()) * (1 - _BETA_SQUARED)
        usual = self.usual / (1 - _BETA_SQUARED**self.steps)
        root = (second + np.float32(_EPSILON * usual)) ** np.float32(_OWN) * np.float32(usual ** (0.5 - _OWN))
        self.table[rows] -= np.float32(rate) * first / root[:, None]


def train(
    table: "Floats",
    kinds: Sequence[Examples],
    *,
    epochs: int,
    told: Callable[[int, float], None],
    rate: float = RATE,
) -> None:
    """Change the table in place."""
    chance = np.random.default_rng(SEED)
    adam = Adam(table)
    batches_each = len(batches(kinds, np.random.default_rng(0)))
    done, steps = 0, epochs * batches_each
    for epoch in range(epochs):
        losses = []
        for examples, batch in batches(kinds, chance):
            # Warm up over the first hundredth, then straight down to nothing.
            now = rate * min(1.0, done * 100 / steps) * max(0.02, 1 - done / steps)
            said, code = (_thinned(side[batch], chance) for side in (examples.said, examples.code))
            losses.append(_step(adam, said, code, now))
            done += 1
        told(epoch, float(np.mean(losses)))


def batches(
    kinds: Sequence[Examples], chance: np.random.Generator
) -> "list[tuple[Examples, NDArray[np.intp]]]":
    """The pairs of a pass, but for rests too small to tell anything apart."""
    found = []
    for examples in kinds:
        pairs = examples.said.shape[0]
        order = chance.permutation(pairs)[: int(pairs * examples.share)]
        found += [
            (examples, order[start : start + BATCH]) for start in range(0, len(order) - BATCH // 2, BATCH)
        ]
    return [found[number] for number in chance.permutation(len(found))]


def _thinned(documents: csr_matrix, chance: np.random.Generator) -> csr_matrix:
    kept = chance.random(documents.nnz) >= LEFT_OUT
    return csr_matrix((documents.data * kept, documents.indices, documents.indptr), shape=documents.shape)


def _step(adam: Adam, said: csr_matrix, code: csr_matrix, rate: float) -> float:
    rows, columns = np.unique(np.concatenate([said.indices, code.indices]), return_inverse=True)
    shape = len(rows)
    said = csr_matrix((said.data, columns[: said.nnz], said.indptr), shape=(said.shape[0], shape))
    code = csr_matrix((code.data, columns[said.nnz :], code.indptr), shape=(code.shape[0], shape))
    table = adam.table[rows]
    left, left_norms = _unit(said @ table)
    right, right_norms = _unit(code @ table)
    scores = left @ right.T
    scores *= np.float32(SCALE)
    across, down = _softmax(scores, 1), _softmax(scores, 0)
    diagonal = np.arange(len(scores))
    loss = -np.log(np.maximum(across[diagonal, diagonal] * down[diagonal, diagonal], 1e-30)).mean() / 2
    across += down
    across[diagonal, diagonal] -= 2
    across *= np.float32(SCALE / (2 * len(scores)))
    to_left = _through_unit(across @ right, left, left_norms)
    to_right = _through_unit(across.T @ left, right, right_norms)
    adam.step(rows, np.asarray(said.T @ to_left + code.T @ to_right), rate)
    return float(loss)


def _unit(vectors: "Floats") -> "tuple[Floats, Floats]":
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-6))
    return vectors / norms, norms


def _through_unit(gradient: "Floats", unit: "Floats", norms: "Floats") -> "Floats":
    """The gradient of a vector, from that of the same vector made one long."""
    return (gradient - unit * (gradient * unit).sum(axis=1, keepdims=True)) / norms


def _softmax(scores: "Floats", axis: int) -> "Floats":
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    powers /= powers.sum(axis=axis, keepdims=True)
    return powers


def matrix(documents: Sequence[Sequence[tuple[int, float]]], terms: int) -> csr_matrix:
    """Documents, given as the rows and weights of their terms, as rows of a sparse matrix."""
    ends = np.cumsum([0, *map(len, documents)])
    rows = np.fromiter((row for document in documents for row, _ in document), dtype=np.int32, count=ends[-1])
    weights = np.fromiter(
        (weight for document in documents for _, weight in document), dtype=np.float32, count=ends[-1]
    )
    found = csr_matrix((weights, rows, ends), shape=(len(documents), terms))
    found.sum_duplicates()
    return found
