"""How wide text is in a terminal, and what of it fits. Pure."""

import unicodedata


def width(text: str) -> int:
    """The columns that a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut(text: str, room: int) -> str:
    """The text, or as much of its beginning as fits with a mark behind it."""
    if width(text) <= room or room < 1:
        return text
    taken = 0
    for number, letter in enumerate(text):
        taken += _width(letter)
        if taken > room - 1:
            return text[:number] + "…"
    return text


def _width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
