"""Words as they are written: phrases, their own case, and slips of the pen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.search.words import distance_within, phrases
from tests.kit import Tree

CODE = {
    "auth.py": "def authenticate_user(name):\n    # The user name is checked\n    return Name(name)\n",
    "names.py": "class Name:\n    pass\n\n\nNAME = Name()\n",
    "guide.md": "# Guide\n\nThe name of the user: the user name.\n",
    "user.py": "def user_name():\n    return 'user', 'name'\n",
    "typo.py": "def autenticate():\n    return recieve()\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("words")).write(CODE).commit()
    tree.index()
    return tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a b" c "d"', ["a b", "d"]),
        ('a "lone quote', []),
        ('"', []),
        ('""', []),
        ('" "', []),
        ('5" and 6" pipes', [" and 6"]),
        ('"same" "same"', ["same"]),
        ('"two\nlines"', []),
    ],
)
def test_what_stands_in_quotes(text: str, expected: list[str]) -> None:
    assert phrases(text) == expected


def test_a_phrase_is_in_every_hit(tree: Tree) -> None:
    assert set(tree.paths('"user name"', "--fts")) == {"auth.py", "guide.md"}
    assert tree.paths('"user name" guide', "--fts")[0] == "guide.md"
    assert tree.paths('"The user name"', "--fts", "--case-sensitive") == ["auth.py"]
    assert tree.paths('"user name" "authenticate"', "--fts") == ["auth.py"]


def test_a_phrase_may_begin_and_end_within_words(tree: Tree) -> None:
    assert tree.paths('"icate_user(na"', "--fts") == ["auth.py"]
    assert tree.paths("\"return 'user', \"", "--fts") == ["user.py"]


def test_a_phrase_names_its_lines(tree: Tree) -> None:
    hit = tree.query('"the user name"', "--fts", "--path-filter", "auth.py")["hits"][0]
    assert hit["matches"] == [{"line": 2, "column": 7, "end_column": 20}]
    assert hit["matched_by"] == ["fts"]
    assert hit["scores"]["fts"] > 0


def test_a_lone_quote_is_text(tree: Tree) -> None:
    for mode in ("--fts", "--semantic", "--regex", "--fuzzy"):
        assert tree.run("query", mode, "--", 'user "name').code in (0, 1)
    assert tree.paths('user "name', "--fts") == tree.paths("user name", "--fts")


def test_without_fts_quotes_are_text(tree: Tree) -> None:
    assert tree.paths('"user name"') == tree.paths("user name")


def test_words_in_their_own_case(tree: Tree) -> None:
    assert set(tree.paths("NAME", "--fts")) == {"auth.py", "names.py", "guide.md", "user.py"}
    assert tree.paths("NAME", "--case-sensitive") == ["names.py"]
    assert set(tree.paths("Name", "--case-sensitive")) == {"auth.py", "names.py"}
    assert tree.paths("nAME", "--case-sensitive") == []
    assert tree.query("Name", "--case-sensitive")["mode"] == "fts"


def test_slips_of_the_pen(tree: Tree) -> None:
    assert tree.paths("authenticatex", "--fts") == []
    assert set(tree.paths("authenticatex", "--fuzzy")) == {"auth.py"}
    assert set(tree.paths("authenticatex", "--edit-distance", "2")) == {"auth.py", "typo.py"}
    assert tree.paths("receive", "--fuzzy") == ["typo.py"]
    assert tree.paths("receive", "--edit-distance", "0") == tree.paths("receive", "--fts") == []
    (hit,) = tree.query("receive", "--fuzzy")["hits"]
    assert hit["matches"] == [{"line": 2, "column": 12, "end_column": 19}]
    assert 0 < hit["score"] <= 1


def test_the_right_spelling_comes_first(tree: Tree) -> None:
    assert tree.paths("autenticate", "--fuzzy")[0] == "typo.py"
    assert tree.paths("authenticate", "--fuzzy")[0] == "auth.py"


def test_short_words_do_not_resemble_everything(tree: Tree) -> None:
    assert tree.paths("xy", "--edit-distance", "2") == []


@pytest.mark.parametrize("flags", [["--fuzzy"], ["--fts"], ["--case-sensitive"], ["--regex"], []])
def test_filters_limits_and_scores_restrict_the_same_list(tree: Tree, flags: list[str]) -> None:
    text = '"user"' if flags == ["--fts"] else "user"
    every = tree.query(text, *flags, "-l", "0")["hits"]
    assert len(every) >= 3
    assert tree.query(text, *flags, "-l", "2")["hits"] == every[:2]
    python = tree.query(text, *flags, "--language", "py", "-l", "0")["hits"]
    assert python == [hit for hit in every if hit["language"] == "python"]
    least = every[1]["score"] - 0.0001
    best = tree.query(text, *flags, "--min-score", f"{least:.4f}", "-l", "0")["hits"]
    assert best == [hit for hit in every if hit["score"] >= round(least, 4)]
    assert tree.query(text, *flags, "--min-score", f"{least:.4f}", "-l", "1")["hits"] == every[:1]


words = st.text("abc", max_size=6)


@given(words, words, st.integers(0, 2))
def test_the_distance_of_words(one: str, other: str, most: int) -> None:
    assert distance_within(one, other, most) == distance_within(other, one, most)
    assert distance_within(one, one, 0)
    assert distance_within(one, one + "x" * most, most)
    assert not distance_within(one, one + "x" * (most + 1), most)


def test_swapped_letters_are_one_slip() -> None:
    assert distance_within("recieve", "receive", 1)
    assert not distance_within("recieve", "receves", 1)
