"""A regular expression, taken apart: what every match must hold, and what looking for one may cost at most.

Pure. The dialect is that of Python's `re`, on text, for each line alone and without its line end. What a pattern
must hold is never more than is true of every match, so whoever narrows by it loses none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cidx.api.errors import CidxError, Code
from cidx.text.tokenizer import WORD

# The parser of `re`: private, but there since Python 3.11 and the only one that agrees with `re` on every pattern.
_parser: Any = re._parser  # type: ignore[attr-defined]

# Repetitions that vary by more than this count as if they had no upper limit.
_FEW = 8
# Powers beyond this are beyond any limit.
_MOST_DEGREES = 20


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that a match holds as it is, and whether it surely ends there as a word: on the left, on the right."""

    text: str
    left: bool
    right: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a literal: whole, or the beginning, the end or the middle of one."""

    text: str
    left: bool
    right: bool

    @property
    def is_whole(self) -> bool:
        return self.left and self.right


@dataclass(frozen=True, slots=True)
class All:
    """Each of these holds; of none that is always so."""

    parts: "tuple[Need, ...]" = ()


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of these holds."""

    parts: "tuple[Need, ...]"


Need = Literal | All | Either


@dataclass(frozen=True, slots=True)
class Cost:
    """The most steps that looking for a match may take: `factor` times a power of the line's length.

    Of a repetition within a repetition no power is enough: then `nested` is set.
    """

    degree: int = 0
    factor: int = 1
    nested: bool = False

    def steps(self, length: int) -> float:
        if self.nested or self.degree > _MOST_DEGREES:
            return float("inf")
        return self.factor * float(length) ** (self.degree + 1)

    def longest(self, steps: float) -> int:
        """The length of a line that takes no more than so many steps."""
        if self.nested or self.degree > _MOST_DEGREES:
            return 0
        return int((steps / self.factor) ** (1 / (self.degree + 1)))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that compiles, and what is known of it.

    `stays_in_line` says that no match crosses a line end, so that a whole text may be searched at once.
    """

    source: str
    flags: int
    need: Need
    cost: Cost
    ignores_case: bool
    stays_in_line: bool

    def compile(self) -> "re.Pattern[str]":
        return re.compile(self.source, self.flags)


def parse(source: str, *, ignore_case: bool = False) -> Pattern:
    """Take a pattern apart; one that does not compile is an error that says where."""
    flags = re.MULTILINE | (re.IGNORECASE if ignore_case else 0)
    try:
        re.compile(source, flags)
        items = _parser.parse(source, flags)
    except re.error as error:
        raise _invalid(source, str(error.msg), error.pos) from None
    except (OverflowError, RecursionError) as error:
        raise _invalid(source, str(error) or "it is nested too deeply", None) from None
    nodes = list(_walk(items))
    ignores_case = bool(items.state.flags & re.IGNORECASE) or any(
        op == "SUBPATTERN" and value[1] & re.IGNORECASE for op, value in nodes
    )
    return Pattern(
        source,
        flags,
        _need(items, left=False, right=False),
        _cost(_without_tail(items)),
        ignores_case,
        _stays_in_line(nodes, dot_is_all=bool(items.state.flags & re.DOTALL)),
    )


def words(literal: Literal) -> Iterator[Word]:
    """The words that a text holds wherever the literal occurs in it."""
    for found in WORD.finditer(literal.text):
        yield Word(
            found.group(),
            found.start() > 0 or literal.left,
            found.end() < len(literal.text) or literal.right,
        )


def literals(need: Need) -> tuple[str, ...]:
    """Texts of which every match holds one, the longest that there are to choose from; empty if there are none."""
    match need:
        case Literal(text):
            return (text,)
        case All(parts):
            return max(map(literals, parts), key=_shortest, default=())
        case Either(parts):
            each = [literals(part) for part in parts]
            return tuple(dict.fromkeys(text for texts in each for text in texts)) if all(each) else ()


def _shortest(texts: Sequence[str]) -> int:
    """By its length without the spaces around it, which are everywhere."""
    return min((len(text.strip()) for text in texts), default=0)


def _invalid(source: str, why: str, position: int | None) -> CidxError:
    place = "" if position is None else f" at position {position + 1}"
    return CidxError(
        Code.BAD_QUERY,
        what=f"{source!r} is not a regular expression",
        why=f"{why}{place}",
        next_step="put a backslash before what is meant literally, or search for it in quotes: --fts '\"…\"'",
    )


# What every match holds


def _need(items: Any, *, left: bool, right: bool) -> Need:
    """What a sequence holds; `left` and `right` say that no letter of the same word stands beside it."""
    return _Reader(left=left).read(_flat(items), right=right)


def _flat(items: Any) -> list[tuple[str, Any]]:
    """The items of a sequence, groups opened; operators by their names."""
    found: list[tuple[str, Any]] = []
    for op, value in items:
        name = str(op)
        if name == "SUBPATTERN":
            found += _flat(value[3])
        elif name == "ATOMIC_GROUP":
            found += _flat(value)
        else:
            found.append((name, value))
    return found


class _Reader:
    """Reads a sequence from left to right, and collects the runs of literal text in it."""

    def __init__(self, *, left: bool) -> None:
        self._parts: list[Need] = []
        self._run: list[str] = []
        self._left = left

    def read(self, items: Sequence[tuple[str, Any]], *, right: bool) -> Need:
        for number, (name, value) in enumerate(items):
            if name == "LITERAL" and value != ord("\n"):
                self._run.append(chr(value))
                continue
            follows = _is_border(*items[number + 1]) if number + 1 < len(items) else right
            self._meet(name, value, follows=follows)
        self._end_run(border=right)
        return self._parts[0] if len(self._parts) == 1 else All(tuple(self._parts))

    def _meet(self, name: str, value: Any, *, follows: bool) -> None:
        border = _is_border(name, value)
        before = border or self._ends_at_border()
        self._end_run(border=border)
        if name == "BRANCH":
            needs = [_need(part, left=before, right=follows) for part in value[1]]
            self._parts.append(Either(tuple(needs)))
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and value[0] > 0:
            once = value[1] == 1
            self._parts.append(_need(value[2], left=once and before, right=once and follows))
        self._left = border

    def _ends_at_border(self) -> bool:
        return not WORD.fullmatch(self._run[-1]) if self._run else self._left

    def _end_run(self, *, border: bool) -> None:
        if self._run:
            self._parts.append(Literal("".join(self._run), self._left, border))
            self._run = []
            self._left = False


def _is_border(name: str, value: Any) -> bool:
    """Whether a word surely ends where this begins, and none goes on where it ends."""
    match name:
        case "AT":
            return str(value) != "AT_NON_BOUNDARY"
        case "LITERAL":
            return not WORD.fullmatch(chr(value))
        case "IN":
            return all(_has_no_letters(str(op), part) for op, part in value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            inner = _flat(value[2])
            return value[0] > 0 and len(inner) == 1 and inner[0][0] == "IN" and _is_border(*inner[0])
    return False


def _has_no_letters(name: str, value: Any) -> bool:
    match name:
        case "LITERAL":
            return not WORD.fullmatch(chr(value))
        case "CATEGORY":
            return str(value) in ("CATEGORY_SPACE", "CATEGORY_NOT_WORD")
    return False


# What looking for it costs


def _without_tail(items: Any) -> Any:
    """A pattern without the repeated letter at its end, which is never taken back: nothing follows that may fail."""
    if len(items) and "REPEAT" in str(items[-1][0]):
        repeated = items[-1][1][2]
        if len(repeated) == 1 and str(repeated[0][0]) in ("IN", "ANY", "LITERAL", "NOT_LITERAL"):
            return items[:-1]
    return items


def _cost(items: Any) -> Cost:
    degree, factor, nested = 0, 1, False
    for op, value in items:
        part = _cost_of(str(op), value)
        degree, nested = degree + part.degree, nested or part.nested
        # Beyond any limit already; numbers without end would take time themselves.
        factor = min(factor * part.factor, 10**30)
    return Cost(degree, factor, nested)


def _cost_of(name: str, value: Any) -> Cost:
    match name:
        case "SUBPATTERN":
            return _cost(value[3])
        case "ATOMIC_GROUP":
            return _cost(value)
        case "ASSERT" | "ASSERT_NOT":
            return _cost(value[1])
        case "BRANCH":
            parts = [_cost(part) for part in value[1]]
            return Cost(
                max(part.degree for part in parts),
                sum(part.factor for part in parts),
                any(part.nested for part in parts),
            )
        case "GROUPREF_EXISTS":
            return Cost(nested=True)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _cost_of_repeat(*value)
    return Cost()


def _cost_of_repeat(least: int, most: int, items: Any) -> Cost:
    inner = _cost(items)
    varies = int(most) - int(least)
    if varies <= _FEW and int(most) <= _FEW:
        factor = min(inner.factor ** int(most) * (varies + 1), 10**30)
        return Cost(inner.degree * int(most), factor, inner.nested)
    if varies <= 0:
        return Cost(inner.degree * int(most), inner.factor, inner.nested or inner.factor > 1)
    return Cost(1, 1, inner.nested or inner.degree > 0 or inner.factor > 1)


# Whether it stays in a line


def _walk(items: Any) -> Iterator[tuple[str, Any]]:
    """Every item of a pattern, with all that lies within it."""
    for op, value in items:
        name = str(op)
        yield name, value
        match name:
            case "SUBPATTERN":
                yield from _walk(value[3])
            case "ATOMIC_GROUP":
                yield from _walk(value)
            case "ASSERT" | "ASSERT_NOT":
                yield from _walk(value[1])
            case "BRANCH":
                for part in value[1]:
                    yield from _walk(part)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from _walk(value[2])
            case "GROUPREF_EXISTS":
                for part in value[1:]:
                    yield from _walk(part or ())


def _stays_in_line(nodes: Sequence[tuple[str, Any]], *, dot_is_all: bool) -> bool:
    return not any(_may_leave(name, value, dot_is_all=dot_is_all) for name, value in nodes)


def _may_leave(name: str, value: Any, *, dot_is_all: bool) -> bool:
    match name:
        case "ASSERT" | "ASSERT_NOT" | "GROUPREF_EXISTS":
            return True
        case "AT":
            # \B does not match in an empty line, but between two line ends it does.
            return str(value) in ("AT_BEGINNING_STRING", "AT_END_STRING", "AT_NON_BOUNDARY")
        case "SUBPATTERN":
            return bool(value[1] & re.DOTALL)
        case "ANY":
            return dot_is_all
        case "LITERAL":
            return bool(value == ord("\n"))
        case "NOT_LITERAL":
            return bool(value != ord("\n"))
        case "IN":
            return _holds_newline([(str(op), part) for op, part in value])
    return False


def _holds_newline(members: Sequence[tuple[str, Any]]) -> bool:
    negated = bool(members) and members[0][0] == "NEGATE"
    return negated != any(_is_newline(*member) for member in members)


def _is_newline(name: str, value: Any) -> bool:
    match name:
        case "LITERAL":
            return bool(value == ord("\n"))
        case "RANGE":
            return bool(value[0] <= ord("\n") <= value[1])
        case "CATEGORY":
            return str(value) in ("CATEGORY_SPACE", "CATEGORY_NOT_DIGIT", "CATEGORY_NOT_WORD")
    return False
