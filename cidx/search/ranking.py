"""Relevance and evidence to an order: what is known of a chunk's name, file and neighbours besides how well it matches.

Pure. Evidence multiplies: it says how much more or less a chunk is worth than its match alone, whatever the scale of
that. All of it follows from the query and the generation, nothing from filters or limits, so that these only leave hits
out. Each part is there because the hits are worse without it; docs/performance.md says by how much.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from cidx.search.intent import Intent
from cidx.search.roles import Bearing, Role
from cidx.store.records import Candidate
from cidx.text.stems import stem
from cidx.text.tokenizer import terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each kind of evidence adds, or, of what stands behind and of further chunks, how much it leaves."""

    definition: float = 1.0
    name: float = 0.2
    file_name: float = 0.25
    folder: float = 0.5
    coherence: float = 0.2
    test: float = 0.5
    aside: float = 0.8
    prose: float = 0.5
    further: float = 0.7
    abbreviation: float = 0.8


# How to do without each part.
PARTS: Mapping[str, Callable[[Weights], Weights]] = {
    "definitions": lambda weights: replace(weights, definition=0.0),
    "names": lambda weights: replace(weights, name=0.0),
    "file-names": lambda weights: replace(weights, file_name=0.0),
    "folders": lambda weights: replace(weights, folder=0.0),
    "abbreviations": lambda weights: replace(weights, abbreviation=0.0),
    "coherence": lambda weights: replace(weights, coherence=0.0),
    "tests-behind": lambda weights: replace(weights, test=1.0),
    "aside-behind": lambda weights: replace(weights, aside=1.0),
    "prose-behind": lambda weights: replace(weights, prose=1.0),
    "variety": lambda weights: replace(weights, further=1.0),
}
# A definition named in a sentence is worth this much of one that is all that was asked for.
_MENTIONED = 0.5
# Of a file's best chunks after the first, the second counts in full, each further one half of the one before.
_NEIGHBOURS = (1.0, 0.5, 0.25)
# Shorter words abbreviate nothing.
_SHORTEST = 3
# What is worth this is scored one half.
_HALF = 0.5


class Ranked(NamedTuple):
    """A candidate with what it is worth, which has no upper limit."""

    worth: float
    path: bytes
    chunk: int


@dataclass(slots=True)
class Ranking:
    """One query's ranking. The evidence about files that the first candidates give holds for all that come later."""

    intent: Intent
    weights: Weights
    defining: AbstractSet[int]
    bearing: Callable[[int], Bearing]
    _coherence: dict[int, float] = field(default_factory=dict)
    _seen: dict[int, int] = field(default_factory=dict)
    _agreeing: dict[str, float] = field(default_factory=dict)
    _boosts: dict[int, tuple[float, float]] = field(default_factory=dict)

    def first(self, candidates: Iterable[Candidate], relevance: Mapping[int, float]) -> list[Ranked]:
        """The order of the candidates that decide about files; asked for once, before any others."""
        by_file = self._by_file(candidates, relevance)
        for file, chunks in by_file.items():
            self._coherence[file] = self._cohering([-worth for worth, _ in chunks])
        return self._spread(by_file)

    def further(self, candidates: Iterable[Candidate], relevance: Mapping[int, float]) -> list[Ranked]:
        """The order of others."""
        return self._spread(self._by_file(candidates, relevance))

    def _by_file(
        self, candidates: Iterable[Candidate], relevance: Mapping[int, float]
    ) -> dict[int, list[tuple[float, int]]]:
        """The chunks of each file, the best first, with their worth (negated) as far as it is their own."""
        found: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for chunk in candidates:
            added, factor = self._of_file(chunk.file)
            own = 1.0 + added + self._of_chunk(chunk)
            found[chunk.file].append((-relevance[chunk.id] * own * factor, chunk.id))
        for chunks in found.values():
            chunks.sort()
        return found

    def _spread(self, by_file: Mapping[int, Sequence[tuple[float, int]]]) -> list[Ranked]:
        """One order: a file with several good chunks gains, and each further chunk of it stands back."""
        ranked = []
        for file, chunks in by_file.items():
            path = self.bearing(file).path
            left = self._coherence.get(file, 1.0) * self.weights.further ** self._seen.get(file, 0)
            for worth, chunk in chunks:
                ranked.append(Ranked(-worth * left, path, chunk))
                left *= self.weights.further
            self._seen[file] = self._seen.get(file, 0) + len(chunks)
        # Of the same worth by place: ids grow within a file from line to line.
        ranked.sort(key=lambda one: (-one.worth, one.path, one.chunk))
        return ranked

    def _cohering(self, worths: Sequence[float]) -> float:
        if not worths or worths[0] <= 0:
            return 1.0
        others = sum(share * worth for share, worth in zip(_NEIGHBOURS, worths[1:], strict=False))
        return 1.0 + self.weights.coherence * others / worths[0]

    def _of_chunk(self, chunk: Candidate) -> float:
        """What its own name is worth: it defines what was asked for, or says it in other words."""
        added = 0.0
        if chunk.id in self.defining:
            added += self.weights.definition * (1.0 if self.intent.is_name else _MENTIONED)
        if chunk.symbol and name_of(chunk.symbol) <= self.intent.subjects:
            added += self.weights.name
        return added

    def _of_file(self, file: int) -> tuple[float, float]:
        """What the names of its file and folders add, and how much of all its role leaves."""
        known = self._boosts.get(file)
        if known is None:
            bearing = self.bearing(file)
            added = self.weights.file_name * self._agreement(bearing.name)
            if self.intent.subjects:
                said = len(bearing.folders & self.intent.subjects)
                added += self.weights.folder * said / len(self.intent.subjects)
            known = self._boosts[file] = (added, self._factor(bearing.role))
        return known

    def _agreement(self, name: AbstractSet[str]) -> float:
        """The share of a file's name that the query says, perhaps in full where that abbreviates."""
        return sum(map(self._agrees, name)) / len(name) if name else 0.0

    def _agrees(self, part: str) -> float:
        known = self._agreeing.get(part)
        if known is None:
            known = self._agreeing[part] = self._compare(part)
        return known

    def _compare(self, part: str) -> float:
        if part in self.intent.subjects:
            return 1.0
        if len(part) < _SHORTEST:
            return 0.0
        longer = any(
            subject.startswith(part) or (len(subject) >= _SHORTEST and part.startswith(subject))
            for subject in self.intent.subjects
        )
        return self.weights.abbreviation if longer else 0.0

    def _factor(self, role: Role) -> float:
        if role is Role.SOURCE or role in self.intent.roles:
            return 1.0
        return {Role.TEST: self.weights.test, Role.ASIDE: self.weights.aside, Role.PROSE: self.weights.prose}[
            role
        ]


def score(worth: float) -> float:
    """Between 0 and 1, in the same order."""
    return worth / (worth + _HALF)


def name_of(symbol: str) -> frozenset[str]:
    """The stems of the parts of a symbol's own name: of `Thing.read_file` those of `read_file`."""
    return _NAMES[symbol]


class _Names(dict[str, frozenset[str]]):
    """Every name that was looked at lately: the same are candidates again and again."""

    CAPACITY = 20_000

    def __missing__(self, symbol: str) -> frozenset[str]:
        if len(self) >= self.CAPACITY:
            self.clear()
        last = symbol[max(symbol.rfind(" "), symbol.rfind(".")) + 1 :]
        parts = terms(last)
        # A name without a part (an operator) is said by nothing.
        found = self[symbol] = frozenset(map(stem, parts[1:] or parts)) or frozenset((symbol,))
        return found


_NAMES = _Names()
