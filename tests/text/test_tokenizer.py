"""Words and their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.text.tokenizer import _PART, LONGEST_WORD, OVERLONG, WORD, query_terms, terms, words, words_in_utf8


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("parse", "parse"),
        ("getUserName", "getusername get user name"),
        ("HTTPServer", "httpserver http server"),
        ("max_file_bytes", "max_file_bytes max file bytes"),
        ("_private", "private"),
        ("__init__", "init"),
        ("utf8", "utf8 utf 8"),
        ("XMLHttpRequest2", "xmlhttprequest2 xml http request 2"),
        ("Grüße", "grüße"),
        ("größeInPixeln", "größeinpixeln größe in pixeln"),
        ("MAX_SIZE", "max_size max size"),
        ("_", ""),
        ("42", "42"),
    ],
)
def test_a_word_is_found_whole_and_by_its_parts(word: str, expected: str) -> None:
    assert terms(word) == tuple(expected.split())


def test_data_is_no_word() -> None:
    assert terms("a" * (LONGEST_WORD + 1)) == ()


def test_query_terms_are_distinct_and_in_order() -> None:
    assert query_terms("read_file, then read!") == ["read_file", "read", "file", "then"]


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_finds_the_same(text: str) -> None:
    assert words(text) == WORD.findall(text)


def test_what_is_written_without_spaces_is_found_by_its_pairs() -> None:
    assert terms("全文検索") == ("全文検索", "全文", "文検", "検索")
    assert terms("検索") == ("検索",)
    assert terms("getHTTP検索") == ("gethttp検索", "検索", "gethttp", "get", "http")
    assert set(query_terms("全文検索")[1:]) <= set(terms("高速な全文検索の設計"))
    assert terms("検" * 200) == ("検検",)


@given(st.text("aBcÉß2_", min_size=1, max_size=6))
def test_the_short_way_for_one_part_finds_the_same(word: str) -> None:
    parts = [part.lower() for part in _PART.findall(word)]
    assert [term for term in terms(word) if term != word.strip("_").lower()] == [
        part for part in parts if part != word.strip("_").lower()
    ]


@given(st.text())
def test_any_text_gives_lower_case_terms_without_spaces(text: str) -> None:
    for word in words(text):
        for term in terms(word):
            assert term == term.lower()
            assert term.split() == [term]


def test_what_stands_for_an_overlong_word_is_no_word() -> None:
    assert words(OVERLONG) == []


@given(st.text() | st.text("aB_2 é(世—\u0301\n\x1c\x85"))
def test_words_in_utf8_are_the_same_words(text: str) -> None:
    assert [word.decode() for word in words_in_utf8(text.encode("utf-8", "replace"))] == words(
        text.encode("utf-8", "replace").decode()
    )


@given(st.binary())
def test_broken_utf8_has_the_words_of_what_it_is_read_as(text: bytes) -> None:
    assert [word.decode() for word in words_in_utf8(text)] == words(text.decode("utf-8", "replace"))
