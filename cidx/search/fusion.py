"""Scores of two kinds to one order.

Pure. Each score is brought to 0..1 by something that depends on the query alone, never on the other
candidates: so a filter leaves lines out of an answer but never reorders it, and a limit cuts the same list.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Full text leads while the packaged table is untrained; the search issue measures the weights.
WEIGHTS = {"semantic": 0.4, "fts": 0.6}


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate: its fused score and the raw ones."""

    chunk: int
    score: float
    scores: dict[str, float]


def fuse(semantic: Mapping[int, float], fts: Mapping[int, float], *, ceiling: float) -> list[Scored]:
    """Every candidate with its weighted score; a candidate that one side does not know counts zero there."""
    found = []
    for chunk in semantic.keys() | fts.keys():
        scores = {}
        total = 0.0
        if chunk in semantic:
            scores["semantic"] = semantic[chunk]
            total += WEIGHTS["semantic"] * clip(semantic[chunk])
        if chunk in fts:
            scores["fts"] = fts[chunk]
            total += WEIGHTS["fts"] * clip(fts[chunk] / ceiling)
        found.append(Scored(chunk, total, scores))
    return found


def single(kind: str, raw: Mapping[int, float], *, ceiling: float = 1.0) -> list[Scored]:
    """The candidates of one kind alone."""
    return [Scored(chunk, clip(score / ceiling), {kind: score}) for chunk, score in raw.items()]


def clip(value: float) -> float:
    return min(1.0, max(0.0, value))
