"""An answer, as a value: hits of one generation, and whether files have changed since.

`to_json` gives the stable fields of DESIGN.md section 7; fields may be added, never changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cidx.api.query import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Some lines of a file, and how well they fit.

    `path` is relative to the root, with bytes that are not UTF-8 as surrogate escapes. `text` is the
    lines as on disk; `stale` says that they are no longer the lines that were indexed.
    """

    path: str
    start_line: int
    end_line: int
    language: str
    symbol: str
    score: float
    matched_by: tuple[str, ...]
    scores: dict[str, float]
    text: str
    stale: bool = False

    def to_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "path": self.path,
            "start_line": self.start_line,
            "end_line": self.end_line,
            "language": self.language,
            "symbol": self.symbol,
            "score": round(self.score, 4),
            "matched_by": list(self.matched_by),
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
            "text": self.text,
        }
        if self.stale:
            fields["stale"] = True
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Hit":
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        return cls(**known | {"matched_by": tuple(fields["matched_by"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How many files differ from the generation that answered."""

    changed_files: int = 0

    @property
    def fresh(self) -> bool:
        return self.changed_files == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that one query gives back."""

    query: str
    mode: Mode
    repository: str
    generation: int
    freshness: Freshness
    served_by: str
    took_ms: float
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "query": self.query,
            "mode": str(self.mode),
            "repository": self.repository,
            "generation": self.generation,
            "fresh": self.freshness.fresh,
            "changed_files": self.freshness.changed_files,
            "served_by": self.served_by,
            "took_ms": round(self.took_ms, 2),
            "hits": [hit.to_json() for hit in self.hits],
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Answer":
        return cls(
            query=fields["query"],
            mode=Mode(fields["mode"]),
            repository=fields["repository"],
            generation=fields["generation"],
            freshness=Freshness(changed_files=fields["changed_files"]),
            served_by=fields["served_by"],
            took_ms=fields["took_ms"],
            hits=tuple(Hit.from_json(hit) for hit in fields["hits"]),
        )
