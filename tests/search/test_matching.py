"""However lines are looked for, those are found that hold a match."""

import re
import sys

import pytest

from cidx.search.matching import Found, Search

DATA = (
    "one two\ntwo one\n\n  ONE\nthree \u00fcber one\nstone one\nno\n\u017fkin KELVIN\n\u212aelvin\nd\u0131sk\none"
).encode() + b"\xff two\nlast two"


def line_by_line(compiled: "re.Pattern[str]", data: bytes) -> list[Found]:
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.decode("utf-8", "surrogateescape")
        if match := compiled.search(text):
            ends = [len(text[:at].encode("utf-8", "surrogateescape")) + 1 for at in match.span()]
            found.append((number, ends[0], ends[1]))
    return found


@pytest.mark.parametrize("stays_in_line", [True, False])
@pytest.mark.parametrize(
    ("source", "literals", "folded"),
    [
        ("one", ("one",), False),
        ("one|two", ("one", "two"), False),
        ("two|one|nowhere", ("two", "one", "nowhere"), False),
        (r"(?:one|two)\b.*$", (), False),
        ("(?i)one|TWO", ("one", "two"), True),
        ("(?i)skin", ("skin",), True),
        ("(?i)kelvin", ("kelvin",), True),
        ("(?i)disk", ("disk",), True),
        ("no", ("no",), False),
    ],
)
def test_lines_with_a_literal_are_those_that_match(
    source: str, literals: tuple[str, ...], stays_in_line: bool, folded: bool
) -> None:
    compiled = re.compile(source, re.MULTILINE)
    among = tuple(literal.encode() for literal in literals)
    search = Search(compiled, stays_in_line, among, folded=folded, longest=sys.maxsize)
    for data in (DATA, DATA + b"\n", b"", b"\n", b"one", b"ONE\nTwo\n"):
        expected = line_by_line(compiled, data)
        assert list(search.lines(data)) == expected
