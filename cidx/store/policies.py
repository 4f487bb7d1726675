"""A policy: what besides its content decided whether a file is indexed, as the one text that a generation keeps.

Whoever indexes compares the whole; a reader asks for the one part that it needs.
"""

import json
from collections.abc import Iterable


def text(*, largest_file_bytes: int, languages: Iterable[str], rules: int, attributes: str) -> str:
    return json.dumps([largest_file_bytes, sorted(languages), rules, attributes])


def largest_file_bytes(policy: str) -> int:
    return int(json.loads(policy)[0])
