"""Which terms get a row of their own: the most frequent of the corpus, and the words that the teacher knows whole.

The corpus gives the parts of identifiers, in the languages that are mined, and the identifiers that many pairs say;
the teacher's words make sure of English and of the names of things that other code bases talk about.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cidx.text.embedder import key_of
from cidx.text.tokenizer import terms

MINED_TERMS = 40_000
WHOLE_IDENTIFIERS = 16_000
# Terms of fewer pairs are chance; an identifier has parts to be known by.
_LEAST_PAIRS = 3
_LEAST_OF_WHOLE = 8


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Terms; how a reader would say each; the share of pairs that it occurs in; how many are no whole identifiers."""

    terms: Sequence[str]
    spoken: Sequence[str]
    shares: Sequence[float]
    simple: int


def collect(pairs: Sequence[Iterable[str]], known: Iterable[str]) -> Vocabulary:
    """The vocabulary of pairs, each given as all its words. Whole identifiers of several parts come last."""
    counts: Counter[str] = Counter()
    wholes: Counter[str] = Counter()
    spoken: dict[str, str] = {}
    memo: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        said: set[str] = set()
        found: set[str] = set()
        for word in sorted(set(pair)):
            if word not in memo:
                memo[word] = terms(word)
                if len(memo[word]) > 1:
                    spoken.setdefault(memo[word][0], " ".join(memo[word][1:]))
            whole, *parts = memo[word] or ("",)
            said.update(parts or memo[word])
            found.update([whole] * bool(parts))
        counts.update(said)
        wholes.update(found)
    simple = _keyed([*_ranked(counts, _LEAST_PAIRS)[:MINED_TERMS], *known])
    chosen = _keyed([*simple, *_ranked(wholes, _LEAST_OF_WHOLE)[:WHOLE_IDENTIFIERS]])
    shares = [counts[term] / len(pairs) for term in simple]
    shares += [wholes[term] / len(pairs) for term in chosen[len(simple) :]]
    return Vocabulary(
        chosen, [*simple, *(spoken[term] for term in chosen[len(simple) :])], shares, len(simple)
    )


def _ranked(counts: Counter[str], least: int) -> list[str]:
    return sorted((term for term in counts if counts[term] >= least), key=lambda term: (-counts[term], term))


def _keyed(found: Iterable[str]) -> list[str]:
    """Without repetitions, and of two terms with one key only the first."""
    by_key: dict[int, str] = {}
    for term in found:
        by_key.setdefault(key_of(term), term)
    return list(by_key.values())
