"""Parts of terms in a list of all terms: each term that has one, wherever in the list it stands."""

import itertools
import re

import pytest

from cidx.store.parts import Edge, Part

TERMS = ("needle", "the_needle", "needles", "sieve", "stanbul", "\u017fieve", "x")


@pytest.mark.parametrize(("left", "right"), [*itertools.product(Edge, Edge)])
@pytest.mark.parametrize("letters", ["needle", "s", "sieve"])
@pytest.mark.parametrize("any_case", [False, True])
def test_every_term_is_found_first_and_last_too(
    letters: str, left: Edge, right: Edge, any_case: bool
) -> None:
    part = Part(letters, left, right, any_case)
    for first in TERMS:
        terms = [first, *(term for term in TERMS if term != first)]
        listed = "\n".join(("", *terms, "")).encode()
        assert list(part.having(listed)) == [term for term in terms if re.fullmatch(part.expression, term)]
