"""Relevance and evidence to an order: what is known of a chunk's name, file and neighbours besides how well it matches.

Pure. Evidence multiplies: it says how much more or less a chunk is worth than its match alone, whatever the scale of
that. All of it follows from the query and the generation, nothing from filters or limits, so that these only leave hits
out. Each part is there because the hits are worse without it; docs/performance.md says by how much.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from cidx.search.intent import Intent
from cidx.search.roles import Bearing, Role
from cidx.store.records import Candidate
from cidx.text.stems import stem
from cidx.text.tokenizer import terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each kind of evidence adds, or, of what stands behind and of further chunks, how much it leaves."""

    definition: float = 4.0
    export: float = 4.0
    name: float = 0.1
    file_name: float = 0.25
    folder: float = 0.5
    coherence: float = 0.15
    test: float = 0.5
    aside: float = 0.8
    foreign: float = 0.7
    superseded: float = 0.7
    prose: float = 0.5
    further: float = 0.65
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
    "foreign-behind": lambda weights: replace(weights, foreign=1.0),
    "superseded-behind": lambda weights: replace(weights, superseded=1.0),
    "exports": lambda weights: replace(weights, export=0.0),
    "prose-behind": lambda weights: replace(weights, prose=1.0),
    "variety": lambda weights: replace(weights, further=1.0),
}
# A definition named in a sentence is worth this much of one that is all that was asked for: there it has to outweigh
# whoever says the name again and again.
_MENTIONED = 0.125
# Of a file's best chunks after the first, the second counts in full, each further one half of the one before.
_NEIGHBOURS = (1.0, 0.5, 0.25)
# Shorter words abbreviate nothing.
_SHORTEST = 3
# A stem of any length begins with so many letters of its word; what stands before the first word of a name.
_SURE = 3
_NO_LETTERS = "_$@#~"
# What is worth this is scored one half.
_HALF = 0.5


# What a candidate is worth (without an upper limit), negated; its file's path; its id. They sort as they rank: of the
# same worth by place, as ids grow within a file from line to line.
Ranked = tuple[float, bytes, int]


@dataclass(slots=True)
class Ranking:
    """One query's ranking. The evidence about files that the first candidates give holds for all that come later."""

    intent: Intent
    weights: Weights
    defining: AbstractSet[int]
    exporting: AbstractSet[int]
    _coherence: dict[int, float] = field(default_factory=dict)
    _seen: dict[int, int] = field(default_factory=dict)
    _agreeing: dict[str, float] = field(default_factory=dict)
    _abbreviated: tuple[str, ...] = ()
    _abbreviations: AbstractSet[str] = frozenset()
    _beginnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        subjects = self.intent.subjects
        self._abbreviated = tuple(subject for subject in subjects if len(subject) >= _SHORTEST)
        self._abbreviations = {
            subject[:end] for subject in self._abbreviated for end in range(_SHORTEST, len(subject) + 1)
        }
        self._beginnings = tuple({subject[:_SURE] for subject in subjects})

    def first(
        self,
        candidates: Iterable[Candidate],
        relevance: Mapping[int, float],
        bearings: Mapping[int, Bearing],
    ) -> list[Ranked]:
        """The order of the candidates that decide about files; asked for once, before any others."""
        by_file = self._by_file(candidates, relevance, bearings)
        for file, chunks in by_file.items():
            if len(chunks) > 1:
                self._coherence[file] = self._cohering(chunks)
        return self._spread(by_file, bearings)

    def further(
        self,
        candidates: Iterable[Candidate],
        relevance: Mapping[int, float],
        bearings: Mapping[int, Bearing],
    ) -> list[Ranked]:
        """The order of others."""
        return self._spread(self._by_file(candidates, relevance, bearings), bearings)

    def _by_file(
        self,
        candidates: Iterable[Candidate],
        relevance: Mapping[int, float],
        bearings: Mapping[int, Bearing],
    ) -> dict[int, list[tuple[float, int]]]:
        """The chunks of each file, the best first, with what each is worth by itself, negated."""
        meant = 1.0 if self.intent.is_name else _MENTIONED
        defines, exports = self.weights.definition * meant, self.weights.export * meant
        of_files: dict[int, tuple[float, float]] = {}
        found: dict[int, list[tuple[float, int]]] = {}
        for id_, file, _, symbol, names in candidates:
            if file not in of_files:
                of_files[file] = self._of_file(bearings[file])
                found[file] = []
            own, factor = of_files[file]
            if id_ in self.defining:
                own += defines
            elif id_ in self.exporting:
                own += exports
            if (symbol and self._says(symbol[max(symbol.rfind(" "), symbol.rfind(".")) + 1 :])) or (
                names and any(map(self._says, names.split("\n")))
            ):
                own += self.weights.name
            found[file].append((-relevance[id_] * own * factor, id_))
        for chunks in found.values():
            chunks.sort()
        return found

    def _says(self, name: str) -> bool:
        """Whether the query says all of a name."""
        # Most names are told by how their words begin, in a tenth of the time that the stems of these take.
        for word in name.strip(_NO_LETTERS).lower().split("_"):
            if word and not word.startswith(self._beginnings):
                return False
        return _NAMES[name] <= self.intent.subjects

    def _spread(
        self, by_file: Mapping[int, Sequence[tuple[float, int]]], bearings: Mapping[int, Bearing]
    ) -> list[Ranked]:
        """One order: a file with several good chunks gains, and each further chunk of it stands back."""
        ranked = []
        for file, chunks in by_file.items():
            path, seen = bearings[file].path, self._seen.get(file, 0)
            left = self._coherence.get(file, 1.0) * self.weights.further**seen
            for worth, chunk in chunks:
                ranked.append((worth * left, path, chunk))
                left *= self.weights.further
            self._seen[file] = seen + len(chunks)
        ranked.sort()
        return ranked

    def _cohering(self, chunks: Sequence[tuple[float, int]]) -> float:
        best = chunks[0][0]
        if not best:
            return 1.0
        others = sum(share * worth for share, (worth, _) in zip(_NEIGHBOURS, chunks[1:], strict=False))
        return 1.0 + self.weights.coherence * others / best

    def _of_file(self, bearing: Bearing) -> tuple[float, float]:
        """What a match is worth for the names of its file and folders, and how much of that the file's role leaves."""
        own = 1.0 + self.weights.file_name * self._agreement(bearing.name)
        if said := len(bearing.folders & self.intent.subjects):
            own += self.weights.folder * said / len(self.intent.subjects)
        return own, self._factor(bearing.role)

    def _agreement(self, name: AbstractSet[str]) -> float:
        """The share of a file's name that the query says, perhaps in full where that abbreviates."""
        total = 0.0
        for part in name:
            if part not in self._agreeing:
                self._agreeing[part] = self._agrees(part)
            total += self._agreeing[part]
        return total / len(name) if name else 0.0

    def _agrees(self, part: str) -> float:
        if part in self.intent.subjects:
            return 1.0
        longer = part in self._abbreviations or part.startswith(self._abbreviated)
        return self.weights.abbreviation if longer else 0.0

    def _factor(self, role: Role) -> float:
        if role is Role.SOURCE or role in self.intent.roles:
            return 1.0
        weight: float = getattr(self.weights, role.value)
        return weight


def score(worth: float) -> float:
    """Between 0 and 1, in the same order."""
    return worth / (worth + _HALF)


class _Names(dict[str, frozenset[str]]):
    """The stems of the parts of names. Kept for what was looked at lately: the same are candidates again and again."""

    CAPACITY = 20_000

    def __missing__(self, name: str) -> frozenset[str]:
        if len(self) >= self.CAPACITY:
            self.clear()
        parts = terms(name)
        # A name without a part (an operator) is said by nothing.
        found = self[name] = frozenset(map(stem, parts[1:] or parts)) or frozenset((name,))
        return found


_NAMES = _Names()
