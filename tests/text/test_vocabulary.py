"""Words by number: what full text and the embedder get of them is what they get of the text itself."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.text import embedder
from cidx.text.tokenizer import LONGEST_WORD, OVERLONG, terms, words
from cidx.text.vocabulary import Vocabulary


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(embedder.packaged())


def body(vocabulary: Vocabulary, text: str) -> list[str]:
    return vocabulary.body(vocabulary.read(text.encode())).split()


def test_a_body_says_every_term_as_often_as_its_word(vocabulary: Vocabulary) -> None:
    assert body(vocabulary, "getURL(x) _ getURL") == ["geturl", "get", "url", "x", "geturl", "get", "url"]


def test_a_word_too_long_to_be_a_term_leaves_a_mark(vocabulary: Vocabulary) -> None:
    assert body(vocabulary, "x" * LONGEST_WORD) == ["x" * LONGEST_WORD]
    assert body(vocabulary, "x" * (LONGEST_WORD + 1)) == [OVERLONG]


@given(st.lists(st.text("aB_2 é検索.x") | st.text()))
def test_texts_have_the_vectors_that_the_embedder_gives_for_their_words(texts: list[str]) -> None:
    vocabulary, model = Vocabulary(embedder.packaged()), embedder.packaged()
    written = [text.encode("utf-8", "replace") for text in texts]
    expected = model.embed([Counter(words(text.decode())) for text in written])
    read = list(map(vocabulary.read, written))
    assert np.array_equal(vocabulary.embed(read), expected)
    # Also once all their words are known.
    assert np.array_equal(vocabulary.embed(read[::-1])[::-1], expected)


def test_more_documents_than_are_pooled_at_once_keep_their_vectors(vocabulary: Vocabulary) -> None:
    texts = [f"get file{number} parse_{number % 7} file{number}" for number in range(300)]
    expected = embedder.packaged().embed([Counter(words(text)) for text in texts])
    assert np.array_equal(vocabulary.embed([vocabulary.read(text.encode()) for text in texts]), expected)


def test_a_full_vocabulary_starts_over(vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vocabulary, "CAPACITY", 10)
    for number in range(25):
        word = f"w{number}x"
        assert body(vocabulary, word) == list(terms(word))
        if vocabulary.is_full:
            vocabulary.clear()
            assert not vocabulary
