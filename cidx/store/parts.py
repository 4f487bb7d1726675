"""Parts of terms, as full text is asked for the terms that have them."""

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple

# Letters that `re` takes for these when it ignores case, as they stand in terms.
_FORMS = {"s": "(?:s|\u017f)", "i": "(?:i\u0307|i|\u0131)"}

_NEWLINE, _UNDERSCORE = b"\n_"


class Edge(enum.Enum):
    """What stands beside a part of a term: anything; an underscore, or the end of the term; the end."""

    OPEN = enum.auto()
    UNDERSCORE = enum.auto()
    END = enum.auto()

    def allows(self, byte: int) -> bool:
        """Whether this may stand there in a list of terms between newlines."""
        return self is Edge.OPEN or byte == _NEWLINE or (self is Edge.UNDERSCORE and byte == _UNDERSCORE)


class Part(NamedTuple):
    """A part of a term, in small letters, with what stands on its left and on its right.

    In `any_case`, for ASCII letters, also what `re` takes for them when it ignores case, as terms hold it.
    """

    letters: str
    left: Edge
    right: Edge
    any_case: bool = False

    @property
    def expression(self) -> str:
        """What matches the whole of such a term."""
        before = {Edge.OPEN: ".*", Edge.UNDERSCORE: "(.*_)?", Edge.END: ""}[self.left]
        behind = {Edge.OPEN: ".*", Edge.UNDERSCORE: "(_.*)?", Edge.END: ""}[self.right]
        return before + self._forms + behind

    def having(self, listed: bytes) -> Iterator[str]:
        """The terms that have this, of a list between newlines."""
        at = 0
        while (found := self._next(listed, at)) >= 0:
            start = listed.rfind(b"\n", 0, found + 1) + 1
            at = listed.index(b"\n", start)
            yield listed[start:at].decode()

    def _next(self, listed: bytes, at: int) -> int:
        """The next place with this, or with the newline before it; -1 without one."""
        if self._forms != self.letters:
            edges = {Edge.OPEN: "", Edge.UNDERSCORE: "[_\n]", Edge.END: "\n"}
            within = re.compile(f"{edges[self.left]}{self._forms}{edges[self.right]}".encode())
            found = within.search(listed, at)
            return found.start() if found else -1
        # In a tenth of the time.
        letters = self.letters.encode()
        place = listed.find(letters, at)
        while place >= 0 and not (
            self.left.allows(listed[place - 1]) and self.right.allows(listed[place + len(letters)])
        ):
            place = listed.find(letters, place + 1)
        return place

    @property
    def _forms(self) -> str:
        return "".join(map(_FORMS.get, self.letters, self.letters)) if self.any_case else self.letters
