"""Words to stems: `handlers`, `handling` and `handled` meet in one, whatever English does to them.

Pure. Only for what is a name on one side, of a symbol, a folder or a file: there the words of a query agree in meaning
and differ in form. The text of chunks keeps its words as they are: what is found by a word is known to hold it.
"""

from functools import lru_cache

# Endings, and how many letters have to stay. The first that fits is taken.
_ENDINGS = (
    ("ization", 4), ("isation", 4), ("ation", 4), ("ition", 4), ("ion", 4), ("ing", 3), ("ed", 3), ("er", 3), ("or", 4),
    ("able", 4), ("ment", 4), ("ly", 4),
)  # fmt: skip
_VOWELS = frozenset("aeiouy")
# Shorter words have no endings.
_SHORTEST = 4


@lru_cache(maxsize=50_000)
def stem(term: str) -> str:
    """The stem of a term in lower case; a term that is no English word is its own."""
    if len(term) < _SHORTEST or not (term.isascii() and term.isalpha()):
        return term
    found = _without_ending(_singular(term))
    if len(found) >= _SHORTEST and found[-1] == "e":
        found = found[:-1]
    return found[:-1] + "i" if len(found) >= _SHORTEST and found[-1] == "y" else found


def _singular(term: str) -> str:
    """`queries` and `hits`, but not `class`, `status` and `this`."""
    if term[-1] != "s" or term[-2] in "sui":
        return term
    return term[:-3] + "y" if term.endswith("ies") and len(term) > _SHORTEST else term[:-1]


def _without_ending(term: str) -> str:
    for ending, least in _ENDINGS:
        kept = term.removesuffix(ending)
        if kept != term and len(kept) >= least and not _VOWELS.isdisjoint(kept):
            doubled = len(kept) >= _SHORTEST and kept[-1] == kept[-2] and kept[-1] not in "lsz"
            return kept[:-1] if doubled else kept
    return term
