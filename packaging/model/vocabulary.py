"""Which terms get a row of their own: the most frequent of the corpus, and the words that the teacher knows whole.

The corpus gives identifiers and their parts, in the languages that are mined; the teacher's words make sure of English
and of the names of things that other code bases talk about.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cidx.text.embedder import key_of
from cidx.text.tokenizer import terms

MINED_TERMS = 40_000
# Terms of fewer pairs are chance.
_LEAST_PAIRS = 3


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Terms; how a reader would say each; the share of pairs that it occurs in."""

    terms: Sequence[str]
    spoken: Sequence[str]
    frequencies: Sequence[float]


def collect(pairs: Sequence[Iterable[str]], known: Iterable[str]) -> Vocabulary:
    """The vocabulary of pairs, each given as all its words."""
    counts: Counter[str] = Counter()
    spoken: dict[str, str] = {}
    memo: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        found: set[str] = set()
        for word in sorted(set(pair)):
            if word not in memo:
                memo[word] = terms(word)
                if len(memo[word]) > 1:
                    spoken.setdefault(memo[word][0], " ".join(memo[word][1:]))
            found.update(memo[word])
        counts.update(found)
    ranked = sorted(
        (term for term in counts if counts[term] >= _LEAST_PAIRS), key=lambda term: (-counts[term], term)
    )
    chosen = _keyed([*ranked[:MINED_TERMS], *known])
    return Vocabulary(
        chosen, [spoken.get(term, term) for term in chosen], [counts[term] / len(pairs) for term in chosen]
    )


def _keyed(found: Iterable[str]) -> list[str]:
    """Without repetitions, and of two terms with one key only the first."""
    by_key: dict[int, str] = {}
    for term in found:
        by_key.setdefault(key_of(term), term)
    return list(by_key.values())
