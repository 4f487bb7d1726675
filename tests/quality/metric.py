"""NDCG@10 with binary gains: how near the top the targets of a query are. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

DEPTH = 10


class Place(Protocol):
    """Some lines of a file: what a hit is, and a target."""

    @property
    def path(self) -> str: ...
    @property
    def start_line(self) -> int: ...
    @property
    def end_line(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Target:
    """What has to be found: a file, or lines of it."""

    path: str
    start_line: int = 1
    end_line: int = 1 << 60

    @classmethod
    def of(cls, label: str | dict[str, Any]) -> "Target":
        if isinstance(label, str):
            return cls(label)
        return cls(label["path"], label.get("start_line") or 1, label.get("end_line") or 1 << 60)

    def is_hit_by(self, hit: Place) -> bool:
        return self.path == hit.path and self.start_line <= hit.end_line and hit.start_line <= self.end_line


def ndcg(targets: Sequence[Target], hits: Sequence[Place]) -> float:
    """A target's rank is that of the first hit that overlaps it; the ideal has all of them at the top."""
    ideal = sum(_gain(rank) for rank in range(min(DEPTH, len(targets))))
    ranks = (next((n for n, hit in enumerate(hits[:DEPTH]) if one.is_hit_by(hit)), None) for one in targets)
    return sum(_gain(rank) for rank in ranks if rank is not None) / ideal


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else math.nan


def _gain(rank: int) -> float:
    """Ranks begin with 0."""
    return 1 / math.log2(rank + 2)
