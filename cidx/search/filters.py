"""Which files may answer: filters by language and path, decided before any candidate is cut.

Pure. Path patterns are those of .gitignore: `src/`, `*.py`, `tests/**/data`; one that begins with `!` takes back.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cidx.api.query import Filters

if TYPE_CHECKING:
    from pathspec import PathSpec, Pattern


def allowed_files(files: Iterable[tuple[int, bytes, str]], filters: Filters) -> frozenset[int] | None:
    """The ids of the files that pass; None where there is nothing to filter by."""
    if not filters:
        return None
    wanted, unwanted = _spec(filters.paths), _spec(filters.exclude_paths)
    return frozenset(
        id_
        for id_, path, language in files
        if _passes(language, filters)
        and (wanted is None or wanted.match_file(_text(path)))
        and (unwanted is None or not unwanted.match_file(_text(path)))
    )


def _passes(language: str, filters: Filters) -> bool:
    return language not in filters.exclude_languages and (
        not filters.languages or language in filters.languages
    )


def _spec(patterns: Sequence[str]) -> "PathSpec[Pattern] | None":
    if not patterns:
        return None
    from pathspec import PathSpec

    return PathSpec.from_lines("gitignore", patterns)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
