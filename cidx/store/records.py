"""The values that the index writes and a search reads back. Lines are 1-based and inclusive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition: `name` is `method`, `path` is `Thing.method`."""

    name: str
    path: str
    kind: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Span:
    """The lines of one chunk, and where in the code they stand.

    `symbol` is the path of the one definition that the chunk shows (or is a piece of), else of what
    encloses it, else empty. `header` is the signature line of that definition when the chunk itself
    does not show it: the second piece of a long function still knows whose piece it is.
    """

    start_line: int
    end_line: int
    symbol: str = ""
    kind: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """How one file is cut: `spans` cover every line exactly once, in order."""

    spans: tuple[Span, ...]
    symbols: tuple[Symbol, ...] = ()
