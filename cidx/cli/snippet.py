"""Which lines of a hit are shown: where it is defined, and the lines that fit best. Pure."""

import re
from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import NamedTuple

from cidx.api.answer import Hit


class Line(NamedTuple):
    """A line of a hit; `fits` marks the lines that were asked for."""

    number: int
    text: str
    fits: bool


def snippet(hit: Hit, terms: Sequence[str], count: int) -> list[Line]:
    """At most `count` lines in a row that fit best, the first such place, below the line that names the definition."""
    lines = hit.text.split("\n")
    weights = _weights(hit, lines, terms)
    best = max(weights)
    shown = [
        Line(number, text, 0 < weight == best)
        for number, (text, weight) in enumerate(zip(lines, weights, strict=True), hit.start_line)
    ]
    if count >= len(lines):
        return shown
    named = _named(hit, lines)
    start = _best_start(weights, count)
    if named is None or named >= start or count < 2:
        return shown[start : start + count]
    start = max(_best_start(weights, count - 1), named + 1)
    return [shown[named], *shown[start : start + count - 1]]


def matching(hit: Hit, count: int) -> list[Line]:
    """The lines that match, the first `count` of them, below the line that names the definition."""
    lines = hit.text.split("\n")
    numbers = [match.line - hit.start_line for match in hit.matches]
    named = _named(hit, lines)
    if named is not None and named < numbers[0] and count > 1:
        head = [Line(hit.start_line + named, lines[named], False)]
    else:
        head = []
    return head + [
        Line(hit.start_line + number, lines[number], True) for number in numbers[: count - len(head)]
    ]


def best_line(hit: Hit, terms: Sequence[str]) -> tuple[Line, int]:
    """The line that fits best, and the column, in bytes, where it does."""
    lines = hit.text.split("\n")
    weights = _weights(hit, lines, terms)
    at = weights.index(max(weights))
    line = lines[at]
    low = line.lower()
    places = [found for term in terms if (found := low.find(term)) >= 0]
    column = min(places) if places else len(line) - len(line.lstrip())
    return Line(hit.start_line + at, line, True), len(line[:column].encode("utf-8", "surrogateescape")) + 1


def _weights(hit: Hit, lines: Sequence[str], terms: Sequence[str]) -> list[int]:
    if hit.matches:
        matching = {match.line for match in hit.matches}
        return [int(number in matching) for number in range(hit.start_line, hit.start_line + len(lines))]
    return [sum(map(line.lower().__contains__, terms)) for line in lines]


def _best_start(weights: Sequence[int], count: int) -> int:
    sums = list(accumulate(weights, initial=0))
    totals = list(map(sub, sums[count:], sums))
    return totals.index(max(totals))


def _named(hit: Hit, lines: Sequence[str]) -> int | None:
    """Where the name of the symbol stands first."""
    name = hit.symbol.rpartition(".")[2]
    if not name:
        return None
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return next((number for number, line in enumerate(lines) if word.search(line)), None)
