"""The lines of a text that a regular expression matches, each with its first match.

Pure, and imports hardly more than `re`, so that a process of its own that does this is there in a blink (`patience`).
Text is UTF-8 with `surrogateescape`, lines end at newlines only, and columns count bytes.
"""

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

# Line, column, column behind the match: all 1-based, columns in bytes.
Found = tuple[int, int, int]

LENGTH_BYTES = 8
# A shorter literal is in so many lines that looking at each of them takes longer.
_TELLING = 3
_ENCODING = ("utf-8", "surrogateescape")


class TooLong(Exception):
    """A line is longer than what was to be searched here."""


class Search(NamedTuple):
    """A pattern, and what makes looking for it quick.

    `literal` is text that every matching line holds, or empty; `stays_in_line` says that no match crosses a line end,
    so that the text may be searched at once; no line that is longer than `longest` is searched.
    """

    pattern: "re.Pattern[str]"
    stays_in_line: bool
    literal: str
    longest: int

    def lines(self, text: str, *, folded: str = "") -> Iterator[Found]:
        """The lines that match, in order; `folded` is what each of them holds in small letters, of a text in ASCII."""
        if len(folded) >= _TELLING:
            return self._one_by_one(text, folded, text.lower())
        if self.stays_in_line and len(self.literal) < _TELLING:
            return self._at_once(text)
        return self._one_by_one(text, self.literal, text)

    def _at_once(self, text: str) -> Iterator[Found]:
        if len(text) > self.longest and max(map(len, text.split("\n"))) > self.longest:
            raise TooLong
        number, counted, at = 1, 0, 0
        while at < len(text) and (found := self.pattern.search(text, at)):
            start = text.rfind("\n", 0, found.start()) + 1
            if start == len(text):
                # Behind the last newline there is no line.
                return
            end = _end_of_line(text, found.start())
            number, counted = number + text.count("\n", counted, start), start
            yield _found(number, text[start:end], found.start() - start, found.end() - start)
            at = end + 1

    def _one_by_one(self, text: str, literal: str, within: str) -> Iterator[Found]:
        """Only the lines in which the literal is; `within` is the text as the literal is written."""
        number, counted, at = 1, 0, 0
        while (at := within.find(literal, at)) >= 0:
            start = text.rfind("\n", 0, at) + 1
            if start == len(text):
                return
            end = _end_of_line(text, at)
            if end - start > self.longest:
                raise TooLong
            line = text[start:end]
            if found := self.pattern.search(line):
                number, counted = number + text.count("\n", counted, start), start
                yield _found(number, line, *found.span())
            at = end + 1
            if at > len(text):
                return


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _found(number: int, line: str, start: int, end: int) -> Found:
    if line.isascii():
        return number, start + 1, end + 1
    first = len(line[:start].encode(*_ENCODING))
    return number, first + 1, first + len(line[start:end].encode(*_ENCODING)) + 1


def serve() -> None:
    """Answer on stdout what is asked on stdin: a pattern, then text after text, until the end.

    Each message is its length and its bytes; an answer is a line of numbers for each line found.
    """
    source = _receive()
    flags, stays_in_line, literal = _receive(), _receive(), _receive()
    if source is None or flags is None or stays_in_line is None or literal is None:
        return
    search = Search(re.compile(source, int(flags)), bool(stays_in_line), literal, sys.maxsize)
    while (text := _receive()) is not None:
        answer = "\n".join(f"{line} {column} {end}" for line, column, end in search.lines(text)).encode()
        sys.stdout.buffer.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)
        sys.stdout.buffer.flush()


def _receive() -> str | None:
    head = sys.stdin.buffer.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return sys.stdin.buffer.read(int.from_bytes(head, "big")).decode(*_ENCODING)
