"""Filters decide by language and by path."""

import pytest

from cidx.api.query import Filters
from cidx.search.filters import allowed_files

FILES = [
    (1, b"src/a.py", "python"),
    (2, b"src/web/b.ts", "typescript"),
    (3, b"tests/test_a.py", "python"),
    (4, b"docs/c.md", "markdown"),
    (5, b"odd/\xff.py", "python"),
]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(languages=("python",)), {1, 3, 5}),
        (Filters(languages=("python", "markdown")), {1, 3, 4, 5}),
        (Filters(exclude_languages=("python",)), {2, 4}),
        (Filters(paths=("src/",)), {1, 2}),
        (Filters(paths=("src",)), {1, 2}),
        (Filters(paths=("*.py",)), {1, 3, 5}),
        (Filters(paths=("src/**/*.ts",)), {2}),
        (Filters(paths=("*.py", "!tests/")), {1, 5}),
        (Filters(paths=("/src/*.py", "docs")), {1, 4}),
        (Filters(exclude_paths=("tests/", "odd/")), {1, 2, 4}),
        (Filters(languages=("python",), exclude_paths=("tests/",), paths=("src/", "tests/")), {1}),
        (Filters(paths=("nowhere/",)), set()),
    ],
)
def test_what_passes(filters: Filters, expected: set[int]) -> None:
    assert allowed_files(FILES, filters) == expected


def test_no_filter_lets_everything_through() -> None:
    assert allowed_files(FILES, Filters()) is None
