"""What a query asks for: its telling words, the names in it, and the kinds of files that it is about.

Pure. Nothing in a text can fail to be read; a text without a single telling word keeps all it has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cidx.search.roles import Role
from cidx.text.stems import stem
from cidx.text.tokenizer import terms, words

# What English needs to build a question, and code is full of too: these tell nothing apart, and take time to look for.
_EMPTY_WORDS = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "could", "do", "does", "for", "from", "get",
    "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "of", "on", "or", "our",
    "should", "so", "that", "the", "their", "then", "there", "these", "this", "to", "use", "used", "uses",
    "using", "via", "vs", "was", "we", "what", "when", "where", "which", "while", "who", "why", "will",
    "with", "without", "would", "you",
))  # fmt: skip
# Words that ask for what otherwise stands behind the sources. A version is one as well (`v2`).
_ROLE_WORDS = {
    **dict.fromkeys(
        ("test", "tests", "tested", "spec", "specs", "mock", "mocks", "fixture", "fixtures"), Role.TEST
    ),
    **dict.fromkeys(
        ("example", "examples", "sample", "samples", "demo", "tutorial", "benchmark"), Role.ASIDE
    ),
    **dict.fromkeys(("windows", "win32", "win64", "msvc"), Role.FOREIGN),
    **dict.fromkeys(("legacy", "compatibility", "old", "version", "versions"), Role.SUPERSEDED),
    **dict.fromkeys(("readme", "changelog", "license", "documentation", "docs", "guide"), Role.PROSE),
}
_VERSION = re.compile(r"v\d{1,3}")
# The whole of a query that is one name: `parse`, `Thing.method`, `ns::name`, `open()`.
_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::|->|#)[^\W\d]\w*)*(?:\(\))?")
# A word that looks like a name in a sentence: snake_case, camelCase, CamelCase, HTTPServer.
_COMPOUND = re.compile(r"\w*[^\W_]_+[^\W_]\w*|\w*[^\W\dA-Z_]\w*[A-Z]\w*|[A-Z]{2,}[^\W\dA-Z_]\w*")


@dataclass(frozen=True, slots=True)
class Intent:
    """`terms` is what full text looks for, `subjects` are stems of the words, `names` what may be defined somewhere."""

    terms: tuple[str, ...]
    subjects: frozenset[str]
    names: tuple[str, ...]
    is_name: bool
    roles: frozenset[Role]


def read(text: str) -> Intent:
    """What is asked for, from the query as it was written."""
    said = list(dict.fromkeys(words(text)))
    telling = [word for word in said if word.lower() not in _EMPTY_WORDS] or said
    is_name = _NAME.fullmatch(text.strip()) is not None
    found = tuple(dict.fromkeys(term for word in telling for term in terms(word)))
    return Intent(
        terms=found,
        subjects=frozenset(map(stem, found)),
        names=tuple(said[-1:] if is_name else _names(telling)),
        is_name=is_name,
        roles=frozenset(map(_role, found)) - {Role.SOURCE},
    )


def _role(term: str) -> Role:
    return Role.SUPERSEDED if _VERSION.fullmatch(term) else _ROLE_WORDS.get(term, Role.SOURCE)


def _names(telling: Iterable[str]) -> list[str]:
    """The words that look like names: of a sentence's words, those with a capital may be one as well."""
    return [word for word in telling if _COMPOUND.fullmatch(word) or (word[0].isupper() and len(word) > 2)]
