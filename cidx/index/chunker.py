"""Cut a file into chunks whose borders are the borders of its definitions.

`outline` finds what a file defines and gives that to `spans`, which is pure: from lines and definitions to
spans that cover every line exactly once, in order. No span is larger than `MAX_BYTES`, except a single line
that is.

A definition that fits is one chunk. A larger one is cut into its members, and what is left of it (its
header, the text between members) into pieces; a long function is cut at its best lines. Comments directly
above a definition go with it, blank lines with what is above them. Small neighbours share a chunk.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import NamedTuple

from cidx.index.grammars import DEPTH_LIMIT, Definition, Found, read
from cidx.index.headings import sections
from cidx.index.statements import statements
from cidx.store.records import Outline, Span, Symbol
from cidx.store.source import lines_of

# Two screens of code. Most functions and small classes are below it and stay whole; above it one vector
# has to stand for too many things.
MAX_BYTES = 2000

# Prose and unknown formats have no symbol to give a chunk a subject: smaller pieces keep it to one.
TEXT_BYTES = 1500

# Translations, tables and logs are rows that are all alike. One is found by its words, and shown with the lines around
# it however long the rest is: no need for a vector, a document and a row every few of them.
ROWS_BYTES = 8000
_ROWS = frozenset({"po", "csv", "log"})

# Smaller definitions (getters, stubs, one-line tests) are joined, because a chunk costs a vector, a
# document and a row however short it is: until there is enough text to tell chunks apart.
SMALL_BYTES = 600
MERGED_BYTES = 1200

# Loose text below this is no chunk of its own if a neighbour has room: `class Thing:` goes with its first
# member, a closing brace with what it closes.
SCRAP_BYTES = 200

# A piece may be this much smaller or larger than an even share, to end on a better line; no more than
# these rows are looked at on either side, which matters for files of empty lines only.
_SLACK = 0.4
_REACH = 60


# What no grammar reads well, but whose lines tell what they define.
_BY_LINES = {"markdown": sections, "sql": statements}


def outline(source: bytes, language: str, *, patient: bool = True) -> Outline:
    """The chunks, symbols and references of a file in `language`, a name of `cidx.api.languages`.

    `Laborious` (see `grammars`) where the parser could be at it for long and who asks is not patient.
    """
    lines = lines_of(source)
    by_lines = _BY_LINES.get(language)
    found = Found(by_lines(lines)) if by_lines else read(source, language, patient=patient)
    if found is None:
        return Outline(spans(lines, (), limit_bytes=ROWS_BYTES if language in _ROWS else TEXT_BYTES))
    cut = _with_names(spans(lines, found.definitions), found.definitions)
    return Outline(cut, tuple(map(_symbol, found.definitions)), found.references)


def _with_names(cut: Sequence[Span], definitions: Iterable[Definition]) -> tuple[Span, ...]:
    """Each span with the names that stand in it, but for that of its symbol."""
    starts = [span.start_line for span in cut]
    names: dict[int, list[str]] = defaultdict(list)
    for definition in definitions:
        place = bisect_right(starts, definition.header_line) - 1
        if definition.path != cut[place].symbol:
            names[place].append(definition.name)
    return tuple(
        span._replace(names="\n".join(names[place])) if place in names else span
        for place, span in enumerate(cut)
    )


def _symbol(found: Definition) -> Symbol:
    return Symbol(found.name, found.path, found.kind, found.start_line, found.end_line)


def spans(
    lines: Sequence[bytes], found: Iterable[Definition], *, limit_bytes: int = MAX_BYTES
) -> tuple[Span, ...]:
    """Cut `lines`, each with its line end, along the definitions `found`, in any order and of any shape."""
    if not lines:
        return ()
    text = _Text(lines, limit_bytes)
    return tuple(_span(piece) for piece in _cut(text, _nest(text, found)))


def _span(piece: "_Piece") -> Span:
    shown = piece.subject
    if shown is None:
        return Span(piece.start + 1, piece.end)
    hidden = not piece.start < shown.header_line <= piece.end
    return Span(piece.start + 1, piece.end, shown.path, shown.kind, shown.header if hidden else "")


class _Text:
    """Lines by row (0-based); ranges of rows are half-open."""

    def __init__(self, lines: Sequence[bytes], limit_bytes: int) -> None:
        self.lines = lines
        self.limit = limit_bytes
        self.offsets = list(accumulate(map(len, lines), initial=0))

    def size(self, start: int, end: int) -> int:
        return self.offsets[end] - self.offsets[start]

    def past_blank(self, row: int, end: int) -> int:
        while row < end and self.lines[row].isspace():
            row += 1
        return row


@dataclass(slots=True)
class _Block:
    """The rows of a definition and of those within it; the root is the file and has none."""

    definition: Definition | None
    start: int
    end: int
    children: "list[_Block]" = field(default_factory=list)


def _nest(text: _Text, found: Iterable[Definition]) -> _Block:
    """Make whole-row blocks that never overlap out of definitions that may share lines."""
    root = _Block(None, 0, len(text.lines))
    enclosing = [root]
    row = 0
    for definition in sorted(found, key=lambda one: (one.lead_line, -one.end_line)):
        start, end = max(definition.lead_line - 1, 0), min(definition.end_line, root.end)
        while len(enclosing) > 1 and (enclosing[-1].end <= start or enclosing[-1].end < end):
            row = max(row, enclosing.pop().end)
        start = max(start, row)
        if start < end and len(enclosing) <= DEPTH_LIMIT:
            block = _Block(definition, start, end)
            enclosing[-1].children.append(block)
            enclosing.append(block)
            row = start
    return root


def _is_border(text: _Text, outer: Definition | None, block: _Block) -> bool:
    """Small constants, and small functions inside functions, are part of the text around them."""
    definition = block.definition
    if definition is None or text.size(block.start, block.end) >= SMALL_BYTES:
        return True
    inside_function = outer is not None and outer.kind in ("function", "method", "constant")
    return definition.kind != "constant" and not inside_function


class _Piece(NamedTuple):
    """Rows that will be a chunk, or a part of one.

    `subject` is the definition the rows are about; `whole` is the number of definitions they show
    completely. Only `open` pieces are joined to others of their size.
    """

    start: int
    end: int
    subject: Definition | None
    whole: int = 0
    open: bool = False


def _cut(text: _Text, block: _Block) -> list[_Piece]:
    if block.definition is not None and text.size(block.start, block.end) <= text.limit:
        small = text.size(block.start, block.end) < SMALL_BYTES
        return [_Piece(block.start, block.end, block.definition, whole=1, open=small)]
    members = [child for child in block.children if _is_border(text, block.definition, child)]
    parts: list[_Piece] = []
    row = block.start
    for index, member in enumerate(members):
        following = members[index + 1].start if index + 1 < len(members) else block.end
        parts += _loose(text, row, member.start, block.definition)
        row = member.end = text.past_blank(member.end, following)
        parts += _closed_if_many(_cut(text, member))
    parts += _loose(text, row, block.end, block.definition)
    return _merge(text, parts, block.definition)


def _closed_if_many(pieces: list[_Piece]) -> list[_Piece]:
    """What a large definition was cut into is not mixed with its neighbours."""
    if len(pieces) == 1:
        return pieces
    return [_Piece(piece.start, piece.end, piece.subject, piece.whole) for piece in pieces]


def _merge(text: _Text, parts: Iterable[_Piece], outer: Definition | None) -> list[_Piece]:
    merged: list[_Piece] = []
    for part in parts:
        if merged and _belong_together(text, merged[-1], part):
            merged[-1] = _join(text, merged[-1], part, outer)
        else:
            merged.append(part)
    return merged


def _belong_together(text: _Text, above: _Piece, below: _Piece) -> bool:
    size = text.size(above.start, below.end)
    if above.open and below.open and size <= MERGED_BYTES:
        return True
    return size <= text.limit and (_is_scrap(text, above) or _is_scrap(text, below))


def _is_scrap(text: _Text, piece: _Piece) -> bool:
    return piece.whole == 0 and piece.open and text.size(piece.start, piece.end) < SCRAP_BYTES


def _join(text: _Text, above: _Piece, below: _Piece, outer: Definition | None) -> _Piece:
    start, end, whole = above.start, below.end, above.whole + below.whole
    subject = outer
    own = [piece for piece in (above, below) if piece.subject is not outer]
    if len(own) == 1 and whole <= 1:
        share = text.size(own[0].start, own[0].end) / text.size(start, end)
        if outer is None or share >= 0.5:
            subject = own[0].subject
    return _Piece(start, end, subject, whole, open=above.open and below.open)


def _loose(text: _Text, start: int, end: int, subject: Definition | None) -> Iterator[_Piece]:
    """Pieces of text that is no definition of its own: about equal, and ending where it reads well."""
    while start < end:
        stop = _piece_end(text, start, end)
        yield _Piece(start, stop, subject, open=text.size(start, stop) < SMALL_BYTES)
        start = stop


def _piece_end(text: _Text, start: int, end: int) -> int:
    rest = text.size(start, end)
    if rest <= text.limit:
        return end
    share = rest / -(-rest // text.limit)
    base = text.offsets[start]
    fitting = bisect_right(text.offsets, base + text.limit, start, end + 1) - 1
    first = bisect_left(text.offsets, base + share * (1 - _SLACK), start + 1, end)
    last = bisect_right(text.offsets, base + share * (1 + _SLACK), start, fitting + 1) - 1
    if first >= last:
        return max(fitting, start + 1)
    middle = min(max(bisect_left(text.offsets, base + share, start, end), first), last)
    near = range(max(first, middle - _REACH), min(last, middle + _REACH) + 1)
    return _best(text, near, middle, centre=base + share)


def _best(text: _Text, near: range, middle: int, *, centre: float) -> int:
    """The row where a piece starts best, looking from the centre outwards until nothing further off can be better."""
    cost_each = _OFF_CENTRE / text.limit
    best: tuple[float, int] = (inf, 0)
    for row in _outwards(text.offsets, near, middle, centre):
        off_centre = abs(text.offsets[row] - centre) * cost_each
        if off_centre > best[0]:
            break
        best = min(best, (off_centre + _badness(text.lines[row], text.lines[row - 1]), row))
    return best[1]


def _outwards(offsets: Sequence[int], near: range, middle: int, centre: float) -> Iterator[int]:
    """The rows by their distance from the centre, which lies above `middle`."""
    above, below = middle - 1, middle
    while above >= near.start or below < near.stop:
        if above < near.start or (below < near.stop and offsets[below] - centre < centre - offsets[above]):
            yield below
            below += 1
        else:
            yield above
            above -= 1


# In columns of indentation: what a place to cut costs.
_NO_BLANK_LINE = 8
_TORN_APART = 60
_BEFORE_BLANK = 1000
_OFF_CENTRE = 6

_CLOSERS = (b")", b"]", b"}", b"else", b"elif", b"except", b"finally", b"catch", b"end", b"</")
_OPENERS = (b"#", b"//", b"/*", b"*", b"@", b"--")


def _badness(line: bytes, above: bytes) -> int:
    """How bad it is to start a piece at `line`: low after a blank line, at low indentation."""
    line = line[:256]
    code = line.lstrip()
    if not code:
        return _BEFORE_BLANK
    cost = len(line[: len(line) - len(code)].expandtabs(4))
    above = above[:256].strip()
    if above:
        cost += _NO_BLANK_LINE + _TORN_APART * above.startswith(_OPENERS)
    return cost + _TORN_APART * code.startswith(_CLOSERS)
