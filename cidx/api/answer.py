"""An answer, as a value: hits of one generation, and whether files have changed since.

`to_json` gives the stable fields of DESIGN.md section 7; fields may be added, never changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cidx.api.query import Mode


class Match(NamedTuple):
    """Where in a hit a line matches: the first place in it, in bytes of UTF-8, 1-based; `end_column` is behind it."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Some lines of a file, and how well they fit.

    `path` is relative to the root, with bytes that are not UTF-8 as surrogate escapes. `text` is the
    lines as on disk; `stale` says that they are no longer the lines that were indexed. `kind` is that of a symbol
    or a reference, `matches` the lines of it that were asked for, where it was asked for lines.
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
    kind: str = ""
    matches: tuple[Match, ...] = ()

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
        if self.kind:
            fields["kind"] = self.kind
        if self.matches:
            fields["matches"] = [match._asdict() for match in self.matches]
        if self.stale:
            fields["stale"] = True
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Hit":
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        matches = tuple(Match(**match) for match in fields.get("matches", ()))
        return cls(**known | {"matched_by": tuple(fields["matched_by"]), "matches": matches})


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How many files differ from the generation that answered, and whether that is being brought in."""

    changed_files: int = 0
    indexing: bool = False

    @property
    def fresh(self) -> bool:
        return self.changed_files == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that one query gives back.

    `more` says that the limit left hits out, where that is known; `timing` what took how long, where that was asked;
    `degraded` why words alone had to answer a question that was also one of meaning.
    """

    query: str
    mode: Mode
    repository: str
    generation: int
    freshness: Freshness
    served_by: str
    took_ms: float
    hits: tuple[Hit, ...]
    more: bool | None = None
    degraded: str = ""
    timing: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        fields = {
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
        optional = {
            "indexing": self.freshness.indexing or None,
            "degraded": self.degraded or None,
            "more": self.more,
            "timing": self.timing,
        }
        return fields | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Answer":
        return cls(
            query=fields["query"],
            mode=Mode(fields["mode"]),
            repository=fields["repository"],
            generation=fields["generation"],
            freshness=Freshness(
                changed_files=fields["changed_files"], indexing=fields.get("indexing", False)
            ),
            served_by=fields["served_by"],
            took_ms=fields["took_ms"],
            hits=tuple(Hit.from_json(hit) for hit in fields["hits"]),
            more=fields.get("more"),
            degraded=fields.get("degraded", ""),
            timing=fields.get("timing"),
        )
