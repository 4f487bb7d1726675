"""Scores of two kinds to one relevance.

Pure. Each score is brought to a common scale by something that depends on the query alone, never on the other
candidates: so a filter leaves lines out of an answer but never reorders it, and a limit cuts the same list.
A sum keeps what ranks keep not: how much better one candidate is than the next.
"""

from collections.abc import Mapping

# The share of meaning in a hybrid score.
SEMANTIC = 0.35


def relevance(
    semantic: Mapping[int, float], fts: Mapping[int, float], *, ceiling: float, share: float = SEMANTIC
) -> dict[int, float]:
    """How well each candidate matches; one that a side does not know counts zero there.

    `ceiling` is what the words of the query could score at most, `share` the part that meaning has: 0 and 1 are
    the single modes. Whatever is first in both of these is first in any mixture.
    """
    found = {chunk: share * max(0.0, cosine) for chunk, cosine in semantic.items()}
    words = (1.0 - share) / ceiling
    for chunk, scored in fts.items():
        found[chunk] = found.get(chunk, 0.0) + words * scored
    return found


def clip(value: float) -> float:
    return min(1.0, max(0.0, value))
