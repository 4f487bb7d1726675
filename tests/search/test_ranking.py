"""What evidence does to an order. Each part is shown alone, beside the order without it."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.search import intent, roles
from cidx.search.ranking import PARTS, Ranking, Weights, score
from cidx.store.records import Candidate

EQUAL = {1: 0.5, 2: 0.5, 3: 0.5}


def check(
    query: str,
    expected: list[int],
    *,
    part: str,
    paths: Mapping[int, str],
    files: Mapping[int, int] | None = None,
    symbols: Mapping[int, str] | None = None,
    names: Mapping[int, str] | None = None,
    relevance: Mapping[int, float] = EQUAL,
    defining: frozenset[int] = frozenset(),
    exporting: frozenset[int] = frozenset(),
) -> None:
    """The order of the chunks, each in the file of its number if not said otherwise, which this part makes."""
    candidates = [
        Candidate(
            chunk,
            (files or {}).get(chunk, chunk),
            chunk,
            (symbols or {}).get(chunk, ""),
            (names or {}).get(chunk, ""),
        )
        for chunk in relevance
    ]

    def order(weights: Weights) -> list[int]:
        bearings = {
            file: roles.bearing(path.encode(), "markdown" if path.endswith(".md") else "python")
            for file, path in paths.items()
        }
        ranking = Ranking(intent.read(query), weights, defining, exporting)
        return [chunk for _, _, chunk in ranking.first(candidates, relevance, bearings)]

    assert order(Weights()) == expected
    assert order(PARTS[part](Weights())) != expected


def test_the_definition_of_the_name_comes_first() -> None:
    paths = {1: "a.py", 2: "b.py", 3: "c.py"}
    check("parse", [3, 1, 2], part="definitions", paths=paths, defining=frozenset((3,)))


def test_who_exports_a_name_from_elsewhere_comes_first() -> None:
    paths = {1: "a.rs", 2: "b.rs", 3: "c/mod.rs"}
    check("Handler", [3, 1, 2], part="exports", paths=paths, exporting=frozenset((3,)))


def test_a_name_that_says_what_was_asked_comes_first() -> None:
    symbols = {1: "Thing.load", 2: "Thing.rotate", 3: "Thing.rotate_file"}
    check(
        "when files are rotated at night",
        [2, 3, 1],
        part="names",
        symbols=symbols,
        paths={1: "a", 2: "b", 3: "c"},
    )


def test_one_of_several_names_that_says_what_was_asked_comes_first() -> None:
    check(
        "when files are rotated at night",
        [2, 1, 3],
        part="names",
        names={1: "load\nsave", 2: "open_file\nrotate\nclose"},
        paths={1: "a", 2: "b", 3: "c"},
    )


def test_a_file_of_that_name_comes_first() -> None:
    paths = {1: "src/app.py", 2: "src/core.py", 3: "src/template_loader.py"}
    check("loading a template", [3, 1, 2], part="file-names", paths=paths)


def test_a_folder_of_that_name_comes_first() -> None:
    paths = {1: "src/admin/base.py", 2: "src/db/base.py", 3: "src/sessions/base.py"}
    check("session that expires", [3, 1, 2], part="folders", paths=paths)


def test_file_names_abbreviate() -> None:
    paths = {1: "app.py", 2: "base.py", 3: "config.py"}
    check("configuration at start", [3, 1, 2], part="abbreviations", paths=paths)


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("tests-behind", "a/test_x.py"),
        ("foreign-behind", "a/win/x.py"),
        ("aside-behind", "a/examples/x.py"),
        ("prose-behind", "a/guide.md"),
    ],
)
def test_what_is_no_source_stands_behind(part: str, path: str) -> None:
    check("parsing", [2, 3, 1], part=part, paths={1: path, 2: "b/x.py", 3: "c/x.py"})


def test_a_file_with_several_good_chunks_comes_first() -> None:
    paths = {1: "a.py", 2: "b.py"}
    check("anything", [2, 1, 3], part="coherence", paths=paths, files={1: 1, 2: 2, 3: 2}, relevance=EQUAL)


def test_further_chunks_of_a_file_stand_back() -> None:
    check(
        "anything",
        [1, 3, 2],
        part="variety",
        paths={1: "a.py", 3: "b.py"},
        files={1: 1, 2: 1, 3: 3},
        relevance={1: 0.5, 2: 0.45, 3: 0.4},
    )


@given(st.floats(0, 100), st.floats(0, 100))
def test_scores_keep_the_order(one: float, other: float) -> None:
    assert 0 <= score(one) < 1
    if one < other:
        assert score(one) <= score(other)
