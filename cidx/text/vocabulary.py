"""The words of many texts by number, and what each comes to: terms for full text, rows for the embedder.

Code repeats its words: what a word comes to is found out once, and a text is then a list of numbers, which are counted
and pooled by the thousand. Not safe to share between threads.
"""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from cidx.text.embedder import Embedder, Said
from cidx.text.tokenizer import LONGEST_WORD, OVERLONG, terms, words_in_utf8

if TYPE_CHECKING:
    from cidx.text.embedder import Vectors


class Vocabulary(dict[bytes, int]):
    """Numbers by words in UTF-8. Numbers hold until `clear`, which who reads calls when it `is_full`."""

    # Bounds the memory: a repository with more distinct words starts over now and then.
    CAPACITY = 300_000

    def __init__(self, model: Embedder) -> None:
        super().__init__()
        self._model = model
        self._begin()

    def _begin(self) -> None:
        self._terms: list[str] = []
        # Of words that came since the last were pooled: all their terms, and how many each has.
        self._new: list[str] = []
        self._new_each: list[int] = []
        # Of all before: their rows, and where those of each end.
        self._rows = np.zeros(0, dtype=np.intp)
        self._ends = np.zeros(1, dtype=np.intp)

    def __missing__(self, word: bytes) -> int:
        number = self[word] = len(self._terms)
        spelled = word.decode()
        found = terms(spelled)
        self._new += found
        self._new_each.append(len(found))
        if len(spelled) > LONGEST_WORD:
            found = (*found, OVERLONG)
        self._terms.append(" ".join(found))
        return number

    @property
    def is_full(self) -> bool:
        return len(self) >= self.CAPACITY

    def clear(self) -> None:
        super().clear()
        self._begin()

    def read(self, text: bytes) -> list[int]:
        """The words of a text, in order."""
        return list(map(self.__getitem__, words_in_utf8(text)))

    def body(self, text: Sequence[int]) -> str:
        """What full text takes of a text."""
        return " ".join(map(self._terms.__getitem__, text))

    def embed(self, texts: Sequence[Sequence[int]]) -> "Vectors":
        """One unit row a text, as the embedder gives for its words and how often each is said."""
        self._learn()
        sizes = np.fromiter(map(len, texts), np.intp, len(texts))
        numbers = np.fromiter(chain.from_iterable(texts), np.intp, sizes.sum())
        most = max(len(self._terms), 1)
        found, said = np.unique(np.repeat(np.arange(len(texts)) * most, sizes) + numbers, return_counts=True)
        text, number = np.divmod(found, most)
        each = self._ends[number + 1] - self._ends[number]
        skipped = np.repeat(self._ends[number] - (np.cumsum(each) - each), each)
        rows = self._rows[np.arange(len(skipped)) + skipped]
        return self._model.pool(Said(len(texts), text, said, each, rows))

    def _learn(self) -> None:
        """Find the rows of the words that came since."""
        if self._new_each:
            rows, each = self._model.rows(self._new, self._new_each)
            self._rows = np.concatenate([self._rows, rows])
            self._ends = np.concatenate([self._ends, self._ends[-1] + np.cumsum(each)])
            self._new, self._new_each = [], []
