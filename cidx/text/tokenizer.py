"""Text to the terms that full text and embedder share: whole identifiers and their parts.

`getHTTPUrl2` gives `gethttpurl2 get http url 2`, `max_file_bytes` gives itself and its three words. Chinese and
Japanese, which put no spaces between words, give every two characters that stand side by side.
Documents and queries go through the same two steps, so they can't disagree. Pure.
"""

import re

WORD = re.compile(r"\w+")
# Letters beyond ASCII count as small ones: `Größe` is one part, whatever its case.
_SMALL = r"[^\W\d_A-Z]"
_PART = re.compile(rf"[A-Z]+(?=[A-Z]{_SMALL})|[A-Z]?{_SMALL}+|[A-Z]+|\d+")

_UNSPACED = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2,}")

# Longer runs are data (hashes, base64), which nobody searches for by word and which only bloat the index.
LONGEST_WORD = 80
# What is said in one breath beyond this is no sentence.
_MOST_UNSPACED = 1000
# What full text holds in their place, so that whoever looks for a part of a word knows where one may hide.
# It is no word.
OVERLONG = "\u2026"


# Of ASCII, what is no part of a word.
_GAPS = str.maketrans(
    {chr(code): " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
)
# What is beyond ASCII is part of a word, once its signs are gone.
_GAPS_IN_UTF8 = bytes(ord(_GAPS.get(code, chr(code))) if code < 128 else code for code in range(256))
_SIGNS = re.compile(r"[^\w\x00-\x7f]+")


def words(text: str) -> list[str]:
    """The words of a text in order, as written."""
    # Half the time of the expression, and nearly all source is ASCII.
    return text.translate(_GAPS).split() if text.isascii() else WORD.findall(text)


def words_in_utf8(text: bytes) -> list[bytes]:
    """The same of a text in UTF-8, each in UTF-8: a third less time, and most of it less beyond ASCII."""
    if not text.isascii():
        text = _SIGNS.sub(" ", text.decode("utf-8", "replace")).encode()
    return text.translate(_GAPS_IN_UTF8).split()


def terms(word: str) -> tuple[str, ...]:
    """What a word is found by: itself in lower case, then its parts where it has several."""
    if not word.isascii() and _UNSPACED.search(word):
        return _unspaced_terms(word)
    if len(word) > LONGEST_WORD:
        return ()
    # Most words have one part, as a look at their letters tells in a fifth of the time.
    if word.isalpha() and (word[1:].islower() or (word.isascii() and word.isupper())):
        return (word.lower(),)
    whole = word.strip("_").lower()
    parts = [part.lower() for part in _PART.findall(word)]
    if len(parts) < 2:
        return (whole,) if whole else ()
    return (whole, *parts)


def _unspaced_terms(word: str) -> tuple[str, ...]:
    whole = word.strip("_").lower()
    runs = _UNSPACED.findall(word[:_MOST_UNSPACED])
    pairs = dict.fromkeys(run[start : start + 2] for run in runs for start in range(len(run) - 1))
    between = [term for gap in _UNSPACED.sub(" ", word).split() for term in terms(gap)]
    found = dict.fromkeys((*pairs, *between))
    return tuple(found) if len(word) > LONGEST_WORD else (whole, *(term for term in found if term != whole))


def query_terms(text: str) -> list[str]:
    """The distinct terms of a query, in order."""
    return list(dict.fromkeys(term for word in words(text) for term in terms(word)))
