"""The lines of a text that a regular expression matches, each with its first match.

Pure, and imports nothing but `re`, so that a process of its own that does this is there in a blink (`patience.py`).
Text is UTF-8 with `surrogateescape`, lines end at newlines only, and columns count bytes.
"""

import re
import sys
from collections.abc import Iterator

# Line, column, column behind the match: all 1-based, columns in bytes.
Found = tuple[int, int, int]

LENGTH_BYTES = 8
# A shorter literal is in so many lines that looking at each of them takes longer.
_TELLING = 3
_ENCODING = ("utf-8", "surrogateescape")


def lines(pattern: "re.Pattern[str]", text: str, *, literal: str, stays_in_line: bool) -> Iterator[Found]:
    """The lines that match, in order.

    `literal` is text that each of them holds, or empty; `stays_in_line` says that no match crosses a line end, so that
    the text may be searched at once.
    """
    if stays_in_line and len(literal) < _TELLING:
        return _at_once(pattern, text)
    return _one_by_one(pattern, text, literal)


def longest_line(text: str) -> int:
    return max(map(len, text.split("\n")))


def _at_once(pattern: "re.Pattern[str]", text: str) -> Iterator[Found]:
    number, counted, at = 1, 0, 0
    while at < len(text) and (found := pattern.search(text, at)):
        start = text.rfind("\n", 0, found.start()) + 1
        if start == len(text):
            # Behind the last newline there is no line.
            return
        end = _end_of_line(text, found.start())
        number, counted = number + text.count("\n", counted, start), start
        yield _found(number, text[start:end], found.start() - start, found.end() - start)
        at = end + 1


def _one_by_one(pattern: "re.Pattern[str]", text: str, literal: str) -> Iterator[Found]:
    number, counted, at = 1, 0, 0
    while (at := text.find(literal, at)) >= 0:
        start = text.rfind("\n", 0, at) + 1
        if start == len(text):
            return
        end = _end_of_line(text, at)
        line = text[start:end]
        if found := pattern.search(line):
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
    pattern = re.compile(source, int(flags))
    while (text := _receive()) is not None:
        found = lines(pattern, text, literal=literal, stays_in_line=bool(stays_in_line))
        answer = "\n".join(f"{line} {column} {end}" for line, column, end in found).encode()
        sys.stdout.buffer.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)
        sys.stdout.buffer.flush()


def _receive() -> str | None:
    head = sys.stdin.buffer.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return sys.stdin.buffer.read(int.from_bytes(head, "big")).decode(*_ENCODING)
