"""What is known of a regular expression before it is looked for."""

import re

import pytest

from cidx.api.errors import CidxError
from cidx.search import pattern
from cidx.search.pattern import All, Either, Literal, Need


def literals(need: Need) -> list[str]:
    """What has to be there: `[word`, `word]` where the word surely begins or ends."""
    match need:
        case Literal(text, left, right):
            return [f"{'[' * left}{text}{']' * right}"]
        case All(parts) | Either(parts):
            return [text for part in parts for text in literals(part)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("needle", ["needle"]),
        (r"\bneedle\b", ["[needle]"]),
        (r"^needle$", ["[needle]"]),
        (r"self\.check\(", ["self.check("]),
        (r"def\s+get_\w+", ["def]", "[get_"]),
        (r"\b(?:foo|bar)\b", ["[foo]", "[bar]"]),
        (r"import (os|sys)$", ["import ", "[os]", "[sys]"]),
        (r"(ab)?cd", ["cd"]),
        (r"(ab)+cd", ["ab", "cd"]),
        (r"a.b", ["a", "b"]),
        (r"a[bc]d", ["a", "d"]),
        (r"a[ (]d", ["a]", "[d"]),
        (r"foo\Bbar", ["foo", "bar"]),
        (r"(?=foo)bar", ["bar"]),
        (r"(?:foo|)bar", ["foo", "bar"]),
        (r"\d+", []),
        (r"", []),
    ],
)
def test_what_every_match_holds(source: str, expected: list[str]) -> None:
    assert literals(pattern.parse(source).need) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("needle", ("needle",)),
        ("TODO|FIXME", ("TODO", "FIXME")),
        (r"raise \w+Error\(f", ("Error(f",)),
        (r"class \w+Mixin\(", ("Mixin(",)),
        (r"(?:one|two) \w+ (?:three|four)", ("three", "four")),
        ("(?:foo|)x", ("x",)),
        (r"foo|\d+", ()),
        (r"\d+", ()),
    ],
)
def test_texts_of_which_each_match_holds_one(source: str, expected: tuple[str, ...]) -> None:
    assert sorted(pattern.literals(pattern.parse(source).need)) == sorted(expected)


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("needle", 100),
        ("nee.*dle", 100**2),
        ("nee.*dle.*", 100**2),
        (r"needle\w+", 100),
        (r"def\s+\w+\(", 100**3),
        ("a?b?c", 4 * 100),
        ("(foo|bar)x", 2 * 100),
        ("(a+)+b", float("inf")),
        ("(a|ab)*c", float("inf")),
        ("(x+x+)+y", float("inf")),
        ("(a?){30}a{30}", float("inf")),
        (".*" * 30, float("inf")),
    ],
)
def test_what_looking_for_it_may_cost(source: str, steps: float) -> None:
    assert pattern.parse(source).cost.steps(100) == steps


def test_how_long_a_line_may_be() -> None:
    assert pattern.parse("a.*b").cost.longest(10_000) == 100
    assert pattern.parse("needle").cost.longest(10_000) == 10_000
    assert pattern.parse("(a+)+b").cost.longest(10_000) == 0


def test_letters_that_may_be_missing_multiply() -> None:
    assert pattern.parse("a?" * 30 + "a" * 30).cost.steps(100) > 1e9


@pytest.mark.parametrize(
    ("source", "stays"),
    [
        ("needle", True), (r"^\w+ .*$", True), (r"[a-z]+", True), (r"[^\n]+", True),
        (r"a\sb", False), ("[^a]", False), (r"(?s).", False), (r"(?s:.)", False), (r"\Aa", False), (r"a\Z", False),
        ("(?=a)", False), ("(?<!a)b", False), (r"\W", False), (r"a\nb", False), ("[\x00-\x20]", False),
    ],
)  # fmt: skip
def test_whether_a_match_may_cross_a_line_end(source: str, stays: bool) -> None:
    assert pattern.parse(source).stays_in_line is stays


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("(", "missing ), unterminated subpattern at position 1"),
        ("a[b", "unterminated character set at position 2"),
        ("*", "nothing to repeat at position 1"),
        ("a{99999999999}", "the repetition number is too large"),
        ("(" * 5000 + ")" * 5000, "recursion"),
    ],
)
def test_what_does_not_compile_says_where(source: str, why: str) -> None:
    with pytest.raises(CidxError, match="is not a regular expression") as raised:
        pattern.parse(source)
    assert why in raised.value.why
    assert raised.value.code.exit_code == 2


def test_case_may_be_ignored_by_a_flag_in_the_pattern() -> None:
    assert pattern.parse("(?i)a").ignores_case
    assert pattern.parse("(?i:a)b").ignores_case
    assert not pattern.parse("a").ignores_case
    assert pattern.parse("a", ignore_case=True).compile().flags & re.IGNORECASE
