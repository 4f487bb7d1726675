"""Stems: what a word is, whatever English does to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.text.stems import stem


@pytest.mark.parametrize(
    "words",
    [
        ("handler", "handlers", "handling", "handled", "handle"),
        ("query", "queries"),
        ("registration", "registrations"),
        ("template", "templates", "templating"),
        ("decode", "decoder", "decoding"),
        ("parse", "parser", "parsed", "parsing"),
    ],
)
def test_forms_of_a_word_meet(words: tuple[str, ...]) -> None:
    assert len({stem(word) for word in words}) == 1


@pytest.mark.parametrize(
    "word", ["class", "status", "this", "bus", "http2", "größe", "id", "x", "", "ring", "red"]
)
def test_what_has_no_ending_stays(word: str) -> None:
    assert stem(word) == word


@given(st.text(max_size=100))
def test_any_text_has_a_stem_that_is_no_longer(text: str) -> None:
    assert len(stem(text)) <= len(text)
