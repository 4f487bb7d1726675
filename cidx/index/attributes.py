"""What the `.gitattributes` files of a tree say of its files: `linguist-generated` and `linguist-vendored`.

Read as git reads them, with or without git: the deepest file and the last matching line win, then
`.git/info/attributes`. Macros and `linguist-documentation`, which changes nothing here, are passed over.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cidx.index.files import Entry, ending_with
from cidx.store import source

FILE = b".gitattributes"
_OWN_FILE = b".git/info/attributes"
_LONGEST = 1_048_576

_GENERATED, _VENDORED = b"linguist-generated", b"linguist-vendored"

# The time that a pattern takes grows with the length of a path to the power of its stars, and strangers write them.
_MOST_STARS = 4
_TOKEN = re.compile(
    rb"(?P<anywhere>\A\*\*/)|(?P<between>/\*\*/)|(?P<below>/\*\*\Z)|(?P<star>\*+)|(?P<one>\?)"
    rb"|(?P<set>\[[!^]?\]?[^]]*\])|\\?(?P<plain>.)",
    re.DOTALL,
)
_WILD = {
    "anywhere": b"(?:.*/)?", "between": b"/(?:.*/)?", "below": b"/.+", "star": b"[^/]*", "one": b"[^/]",
}  # fmt: skip
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*(.*)', re.DOTALL)


class Said(NamedTuple):
    """None: nothing is said."""

    generated: bool | None = None
    vendored: bool | None = None


class _Line(NamedTuple):
    pattern: re.Pattern[bytes]
    values: dict[bytes, bool | None]


class Attributes:
    """The attributes of a tree; each file of rules is read when a path below it is first asked for."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._own = _parse(_read(root + b"/" + _OWN_FILE))
        self._lines: dict[bytes, tuple[tuple[int, list[_Line]], ...]] = {}

    def of(self, path: bytes) -> Said:
        chain = self._chain(path.rpartition(b"/")[0])
        if not chain and not self._own:
            return Said()
        values: dict[bytes, bool | None] = {}
        for start, lines in (*chain, (0, self._own)):
            for line in lines:
                if line.pattern.fullmatch(path, start):
                    values |= line.values
        return Said(values.get(_GENERATED), values.get(_VENDORED))

    def _chain(self, folder: bytes) -> tuple[tuple[int, list[_Line]], ...]:
        """The rules that reach a folder, the root's first, each with the length of what it does not look at."""
        known = self._lines.get(folder)
        if known is None:
            above = self._chain(folder.rpartition(b"/")[0]) if folder else ()
            prefix = folder + b"/" if folder else b""
            lines = _parse(_read(self._root + b"/" + prefix + FILE))
            known = self._lines[folder] = (*above, (len(prefix), lines)) if lines else above
        return known


def digest(root: bytes, entries: Sequence[Entry]) -> str:
    """Differs when what the tree says of generated and vendored files differs; empty where it says nothing."""
    places = ending_with(FILE, entries)
    said = [
        b"%s %s %s" % (place.removesuffix(FILE), pattern, b" ".join(words))
        for place in (*places, _OWN_FILE)
        for pattern, words in _speaking(_read(root + b"/" + place))
    ]
    return source.digest(b"\n".join(said)).hex() if said else ""


def _read(path: bytes) -> bytes:
    try:
        return source.read(path, limit=_LONGEST).data
    except OSError:
        return b""


def _speaking(content: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Pattern and words of the lines that are about us."""
    if b"linguist-" not in content:
        return
    for line in content.split(b"\n"):
        quoted = _QUOTED.match(line.strip())
        pattern, _, rest = line.strip().partition(b" ")
        if quoted:
            pattern, rest = re.sub(rb"\\(.)", rb"\1", quoted[1]), quoted[2]
        words = [word for word in rest.split() if _name_of(word) in (_GENERATED, _VENDORED)]
        if words and pattern[:1] not in (b"#", b"!") and not pattern.startswith(b"[attr]"):
            yield pattern, words


def _parse(content: bytes) -> list[_Line]:
    lines = []
    for pattern, words in _speaking(content):
        compiled = _compile(pattern)
        if compiled is not None:
            lines.append(_Line(compiled, {_name_of(word): _value_of(word) for word in words}))
    return lines


def _name_of(word: bytes) -> bytes:
    return word.lstrip(b"-!").partition(b"=")[0]


def _value_of(word: bytes) -> bool | None:
    if word[:1] == b"!":
        return None
    return word[:1] != b"-" and word.partition(b"=")[2].lower() not in (b"false", b"no", b"0")


def _compile(pattern: bytes) -> re.Pattern[bytes] | None:
    """A pattern of a file's path from the folder of the rules on; None for what matches no file."""
    if pattern.endswith(b"/") or pattern.count(b"*") - pattern.count(b"**") > _MOST_STARS:
        return None
    anywhere = b"(?:.*/)?" if b"/" not in pattern else b""
    parts = (_translate(found) for found in _TOKEN.finditer(pattern.removeprefix(b"/")))
    try:
        return re.compile(anywhere + b"".join(parts), re.DOTALL)
    except re.error:
        return None


def _translate(found: re.Match[bytes]) -> bytes:
    kind = found.lastgroup or ""
    if kind == "set":
        inner = found[0][1:-1]
        negated = inner[:1] in (b"!", b"^")
        return b"(?!/)[%s%s]" % (b"^" if negated else b"", inner[negated:].replace(b"[", rb"\["))
    return _WILD[kind] if kind in _WILD else re.escape(found["plain"])
