"""A question, as a value: its text, its mode and what may answer it."""

import enum
from dataclasses import dataclass, field


class Mode(enum.StrEnum):
    """Which evidence counts: the three that rank, then those that list what is there."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    FTS = "fts"
    REGEX = "regex"
    SIMILAR = "similar"
    SYMBOLS = "symbols"
    REFS = "refs"


class Accuracy(enum.StrEnum):
    """How far a large set of vectors is looked through; a small one always is wholly."""

    FAST = "fast"
    BALANCED = "balanced"
    HIGH = "high"

    @property
    def effort(self) -> float:
        """How much is looked at, compared with what is usual."""
        return {"fast": 0.5, "balanced": 1.0, "high": 4.0}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What may answer: canonical language names, and path patterns relative to the root.

    A file passes when it matches any of `languages` and any of `paths` (each, if there are any)
    and none of the excluding ones.
    """

    languages: tuple[str, ...] = ()
    exclude_languages: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.languages or self.exclude_languages or self.paths or self.exclude_paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked. `limit` None means every hit.

    `edit_distance` is by how many letters a word may differ, for words alone; None asks for the words as they are.
    `kinds` restricts symbols and references.
    """

    text: str
    mode: Mode = Mode.HYBRID
    limit: int | None = 10
    filters: Filters = field(default_factory=Filters)
    case_sensitive: bool = False
    edit_distance: int | None = None
    min_score: float = 0.0
    accuracy: Accuracy = Accuracy.BALANCED
    kinds: tuple[str, ...] = ()
