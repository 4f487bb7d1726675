"""What a query asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.search import intent
from cidx.search.roles import Role


@pytest.mark.parametrize(
    ("text", "names", "is_name"),
    [
        ("parse", ("parse",), True),
        ("Thing.read_file", ("read_file",), True),
        ("ns::Thing", ("Thing",), True),
        ("open()", ("open",), True),
        ("how does readFile work", ("readFile",), False),
        ("HTTPServer and its max_bytes", ("HTTPServer", "max_bytes"), False),
        ("where the Router is", ("Router",), False),
        ("plain words alone", (), False),
    ],
)
def test_names_in_a_query(text: str, names: tuple[str, ...], is_name: bool) -> None:
    found = intent.read(text)
    assert (found.names, found.is_name) == (names, is_name)


def test_empty_words_are_not_looked_for() -> None:
    assert intent.read("how is the cache used").terms == ("cache",)
    assert intent.read("with").terms == ("with",)
    assert intent.read("for is in").terms == ("for", "is", "in")


def test_whoever_asks_for_tests_gets_them() -> None:
    assert intent.read("tests of the parser").roles == {Role.TEST}
    assert intent.read("example of a handler").roles == {Role.ASIDE}
    assert intent.read("errors of v3").roles == {Role.SUPERSEDED}
    assert intent.read("paths on Windows").roles == {Role.FOREIGN}
    assert intent.read("the parser of a window").roles == set()


@given(st.text())
def test_every_text_can_be_read(text: str) -> None:
    found = intent.read(text)
    assert len(found.terms) == len(set(found.terms))
