"""Parts of terms, as full text is asked for the terms that have them."""

import enum
import re
from typing import NamedTuple

# Letters that `re` takes for these when it ignores case, as they stand in terms.
_FORMS = {"s": "(?:s|\u017f)", "i": "(?:i\u0307|i|\u0131)"}


class Edge(enum.Enum):
    """What stands beside a part of a term: anything; an underscore, or the end of the term; the end."""

    OPEN = enum.auto()
    UNDERSCORE = enum.auto()
    END = enum.auto()


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

    @property
    def within(self) -> "re.Pattern[bytes]":
        """What is found in a list of terms between newlines."""
        edges = {Edge.OPEN: "", Edge.UNDERSCORE: "[_\n]", Edge.END: "\n"}
        return re.compile(f"{edges[self.left]}{self._forms}{edges[self.right]}".encode())

    @property
    def _forms(self) -> str:
        return "".join(map(_FORMS.get, self.letters, self.letters)) if self.any_case else self.letters
