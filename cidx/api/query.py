"""A question, as a value: its text, its mode and what may answer it."""

import enum
from dataclasses import dataclass, field


class Mode(enum.StrEnum):
    """Which evidence counts."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    FTS = "fts"


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
    """What is asked. `limit` None means every hit."""

    text: str
    mode: Mode = Mode.HYBRID
    limit: int | None = 10
    filters: Filters = field(default_factory=Filters)
