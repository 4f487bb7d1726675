"""Find the sections of a Markdown file: what a heading opens reaches to the next heading of its rank.

Sections are definitions of kind `section`, so that Markdown is cut like code. Headings are ATX (`## So`)
and setext (underlined); front matter and fenced code hold none. A path joins headings with ` > `, since
they are full of dots.
"""

import re
from collections.abc import Sequence

from cidx.index.grammars import HEADER_LIMIT, NAME_LIMIT, Definition

_LINE_LIMIT = 1000  # a longer line is no heading, and is not worth a regular expression
_MARKS = frozenset((b"#", b"=", b"-", b"`", b"~"))
_FENCE = re.compile(rb" {0,3}(`{3,}|~{3,})(.*)")
_ATX = re.compile(rb" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_UNDERLINE = re.compile(rb" {0,3}(?:=+|-{2,})[ \t]*$")
_NOT_A_TITLE = (b"#", b">", b"|", b"- ", b"* ", b"+ ", b"<", b"=", b"---", b"```", b"~~~")

# Row (0-based) where the section starts, rank 1-6, title.
_Heading = tuple[int, int, bytes]


def sections(lines: Sequence[bytes]) -> list[Definition]:
    """The sections of a file of `lines`, outer before inner, in order."""
    found: list[Definition] = []
    headings = _headings(lines)
    ends = _ends(headings, len(lines))
    enclosing: list[tuple[int, str]] = []
    for (row, rank, title), end in zip(headings, ends, strict=True):
        while enclosing and enclosing[-1][0] >= rank:
            enclosing.pop()
        name = title[:NAME_LIMIT].decode(errors="replace")
        path = " > ".join([path for _, path in enclosing[-1:]] + [name])
        enclosing.append((rank, path))
        header = lines[row].strip().decode(errors="replace")[:HEADER_LIMIT]
        found.append(Definition(name, path, "section", row + 1, row + 1, row + 1, end, header))
    return found


def _ends(headings: Sequence[_Heading], count: int) -> list[int]:
    """For each heading the row after its section: where the next one of its rank or higher starts."""
    ends = [count] * len(headings)
    pending: list[int] = []
    for index, (row, rank, _) in enumerate(headings):
        while pending and headings[pending[-1]][1] >= rank:
            ends[pending.pop()] = row
        pending.append(index)
    return ends


def _headings(lines: Sequence[bytes]) -> list[_Heading]:
    found: list[_Heading] = []
    fence = b""
    for row in range(_after_front_matter(lines), len(lines)):
        line = lines[row]
        if len(line) > _LINE_LIMIT or line.lstrip()[:1] not in _MARKS:
            continue
        line = line.rstrip(b"\r\n")
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = b""
        elif mark and not (mark[1][:1] == b"`" and b"`" in mark[2]):
            fence = mark[1]
        elif atx := _ATX.match(line):
            title = _without_closing(atx[2] or b"")
            if title:
                found.append((row, len(atx[1]), title))
        elif _UNDERLINE.match(line) and _is_title(lines, row - 1):
            found.append((row - 1, 1 if b"=" in line else 2, lines[row - 1].strip()))
    return found


def _without_closing(title: bytes) -> bytes:
    """`So` of `So ##`; but `C#` keeps its sign."""
    title = title.strip()
    opened = title.rstrip(b"#")
    return title if opened[-1:] not in (b"", b" ", b"\t") else opened.rstrip()


def _is_title(lines: Sequence[bytes], row: int) -> bool:
    """Whether the line stands alone as one paragraph, which an underline then makes a heading."""
    if row < 0 or len(lines[row]) > _LINE_LIMIT or lines[row][:4] == b"    ":
        return False
    title = lines[row].strip()
    alone = row == 0 or not lines[row - 1].strip() or lines[row - 1].lstrip()[:1] == b"#"
    return bool(title) and alone and not title.startswith(_NOT_A_TITLE)


def _after_front_matter(lines: Sequence[bytes]) -> int:
    if not lines or lines[0].rstrip() != b"---":
        return 0
    closing = (row for row in range(1, len(lines)) if lines[row].rstrip() in (b"---", b"..."))
    return next(closing, -1) + 1
