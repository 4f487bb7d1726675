"""What was found and what was said lately, for as long as the repository stays as it was then.

Bounded in number and in bytes; the least recently wanted goes first. Safe to share between threads.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

_MOST = 256
_MOST_BYTES = 16_000_000


class Answers:
    """One state of the repository at a time: an answer given in another one is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: Hashable = None
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._keeps = True
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, question: Hashable) -> bool:
        return question in self._kept

    def get(self, state: Hashable, question: Hashable) -> Any:
        """The answer to this question in this state, or None."""
        with self._lock:
            if state != self._state or question not in self._kept:
                return None
            self._kept.move_to_end(question)
            return self._kept[question][0]

    def keep(self, state: Hashable, question: Hashable, answer: Any, *, size_bytes: int) -> None:
        with self._lock:
            if not self._keeps:
                return
            if state != self._state:
                self._forget()
                self._state = state
            self._drop(question)
            self._kept[question] = (answer, size_bytes)
            self.size_bytes += size_bytes
            while len(self._kept) > _MOST or self.size_bytes > _MOST_BYTES:
                self._drop(next(iter(self._kept)))

    @property
    def are_kept(self) -> bool:
        """Whether answers are kept at all."""
        return self._keeps

    @are_kept.setter
    def are_kept(self, whether: bool) -> None:
        with self._lock:
            self._keeps = whether
            if not whether:
                self._forget()

    def clear(self) -> None:
        with self._lock:
            self._forget()

    def _drop(self, question: Hashable) -> None:
        _, size_bytes = self._kept.pop(question, (None, 0))
        self.size_bytes -= size_bytes

    def _forget(self) -> None:
        self._kept.clear()
        self.size_bytes = 0
