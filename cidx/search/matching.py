"""The lines of a text that a regular expression matches, each with its first match.

Pure, and imports hardly more than `re`, so that a process of its own that does this is there in a blink (`patience`).
Text is UTF-8 with `surrogateescape`, lines end at newlines only, and columns count bytes.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Line, column, column behind the match: all 1-based, columns in bytes.
Found = tuple[int, int, int]

LENGTH_BYTES = 8
# A shorter literal is in so many lines that looking at each of them takes longer.
_TELLING = 3
# The letters beyond ASCII that `re` takes for some of ASCII when it ignores case.
_OTHER_FORMS = tuple(letter.encode() for letter in "\u0130\u0131\u017f\u212a")
_ENCODING = ("utf-8", "surrogateescape")


class TooLong(Exception):
    """A line is longer than what was to be searched here."""


class Search(NamedTuple):
    """A pattern, and what makes looking for it quick.

    Every matching line holds one of `literals`, if there are any; where they are `folded`, in any case of their ASCII
    letters. `stays_in_line` says that no match crosses a line end, so that the text may be searched at once; no line
    that is longer than `longest` bytes is searched.
    """

    pattern: "re.Pattern[str]"
    stays_in_line: bool
    literals: tuple[bytes, ...]
    folded: bool
    longest: int

    def lines(self, data: bytes) -> Iterator[Found]:
        """The lines that match, in order."""
        if self.folded and not data.isascii() and any(form in data for form in _OTHER_FORMS):
            return self._without_literals(data)
        if self.literals and min(map(len, self.literals)) >= _TELLING:
            return self._in_lines(data, _lines_with(self.literals, data.lower() if self.folded else data))
        return self._without_literals(data)

    def _without_literals(self, data: bytes) -> Iterator[Found]:
        if not self.stays_in_line:
            return self._in_lines(data, _all_lines(data))
        if len(data) > self.longest and max(map(len, data.split(b"\n"))) > self.longest:
            raise TooLong
        return self._at_once(data.decode(*_ENCODING))

    def _at_once(self, text: str) -> Iterator[Found]:
        number, counted, at = 1, 0, 0
        while at < len(text) and (found := self.pattern.search(text, at)):
            start = text.rfind("\n", 0, found.start()) + 1
            if start == len(text):
                # Behind the last newline there is no line.
                return
            end = text.find("\n", found.start())
            end = len(text) if end < 0 else end
            number, counted = number + text.count("\n", counted, start), start
            yield _found(number, text[start:end], found.start() - start, found.end() - start)
            at = end + 1

    def _in_lines(self, data: bytes, lines: Iterable[tuple[int, int]]) -> Iterator[Found]:
        number, counted = 1, 0
        for start, end in lines:
            if end - start > self.longest:
                raise TooLong
            line = data[start:end].decode(*_ENCODING)
            if found := self.pattern.search(line):
                number, counted = number + data.count(b"\n", counted, start), start
                yield _found(number, line, *found.span())


def _lines_with(literals: Iterable[bytes], data: bytes) -> Iterable[tuple[int, int]]:
    """Where the lines begin and end that hold any of these, in order."""
    found: dict[int, int] = {}
    for literal in literals:
        at = data.find(literal)
        while at >= 0:
            start = data.rfind(b"\n", 0, at) + 1
            end = found[start] = _end_of_line(data, at)
            at = data.find(literal, end + 1)
    return sorted(found.items())


def _all_lines(data: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(data):
        end = _end_of_line(data, start)
        yield start, end
        start = end + 1


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _found(number: int, line: str, start: int, end: int) -> Found:
    if line.isascii():
        return number, start + 1, end + 1
    first = len(line[:start].encode(*_ENCODING))
    return number, first + 1, first + len(line[start:end].encode(*_ENCODING)) + 1


def serve() -> None:
    """Answer on stdout what is asked on stdin: a pattern, then text after text, until the end.

    Each message is its length and its bytes; an answer is a line of numbers for each line found.
    """
    asked = [_receive() for _ in range(4)]
    if None in asked:
        return
    source, flags, stays_in_line, literals = (part for part in asked if part is not None)
    pattern = re.compile(source.decode(*_ENCODING), int(flags))
    among = tuple(literals.split(b"\n")) if literals else ()
    search = Search(pattern, bool(stays_in_line), among, folded=False, longest=sys.maxsize)
    while (data := _receive()) is not None:
        answer = "\n".join(f"{line} {column} {end}" for line, column, end in search.lines(data)).encode()
        sys.stdout.buffer.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)
        sys.stdout.buffer.flush()


def _receive() -> bytes | None:
    head = sys.stdin.buffer.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return sys.stdin.buffer.read(int.from_bytes(head, "big"))
