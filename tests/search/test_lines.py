"""A regular expression finds every line that it matches, in every file of the index: no more and no fewer."""

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cidx.store.snapshot import Snapshot
from cidx.text import encoding
from tests.kit import Tree

LONG = "x" * 90 + "Needle" + "y" * 20
FILES: dict[str, str | bytes] = {
    "a/one.py": "import os\nimport sys\n\n\ndef get_needle(self):\n    return self.needle  # TODO: x\n\n\n"
    "class HTTPNeedle(Base):\n    def get_other(self):\n        return 'needle needle'\n",
    "a/two.py": "NEEDLE = 1\nneedles = [NEEDLE]\n_needle_ = __needle__\n" + "filler\n" * 200 + "last needle",
    "long.txt": f"{LONG}\nneedleneedle\n\n\nend\n",
    "caf\u00e9.md": "na\u00efve \u00fcber NA\u00cfVE \u00dcber\nstra\u00dfe \u039f\u0394\u039f\u03a3 \u03bf\u03c2\n"
    "\u017fieve \u212aelvin \u0130stanbul\n",
    "windows.txt": b"needle\r\nneedle x\r\n",
    "latin.txt": "# coding: latin-1\nna\u00efve needle\n".encode("latin-1"),
    "broken.txt": b"needle \xff\xfe needle\n",
    "empty.txt": "",
    "odd \n name.txt": "needle in an odd name\n",
    "numbers.txt": "2024-01-02\n12\n3.14\n",
    "wide.txt": "\u6f22\u5b57 needle\n\tneedle\n",
}
PATTERNS = [
    "needle", "Needle", "eedl", "needle needle", r"\bneedle\b", r"^needle", r"needle$", r"^$", r"^", r"x*", "", ".",
    r"(?i)needle", r"(?i)NEEDLE", r"(?i)sieve", r"(?i)kelvin", r"(?i)istanbul", "(?i)stra\u00dfe",
    "(?i)\u00fcber",
    "\u00fcber", "na\u00efve", r"na.ve", r"\w+ve\b", r"import (os|sys)$", r"def\s+get_\w+\(", r"class \w+\(Base\):",
    r"needle|TODO", r"\b(needle|TODO)\b", r"[A-Z]{4,}", r"\d{4}-\d{2}-\d{2}", r"\d+\.\d+", r"self\.needle",
    r"[^a-z]needle",
    r"(?<!\w)needle(?!\w)", r"(?=needle)n", r"\Aneedle", r"needle\Z", r"__needle__", "_needle", "needle_", r"\s+needle",
    r"needle\s", r"(needle){2}", r"(?:need|noo)dle", r"nee.*dle", r"x{90}Needle", "xNeedley", r"\xffneedle", r"\W$",
    r"(\w+) \1", r"(a+)+$", r"(?:\w+\.)+\w+", r"(?x) need  le", r"needle\r", "filler", "get_", "\u6f22", r"\u0130",
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("lines")).write(FILES).commit()
    tree.index()
    return tree


@pytest.fixture(scope="module")
def snapshot(tree: Tree) -> Snapshot:
    return tree.snapshot()


def expected(tree: Tree, snapshot: Snapshot, pattern: str) -> list[tuple[str, int, int, int]]:
    """Every line of every indexed file, one by one."""
    compiled = re.compile(pattern)
    found = []
    for _, path, _ in sorted(snapshot.catalogue.languages(), key=lambda file: file[1]):
        data = encoding.utf8((tree.root / os.fsdecode(path)).read_bytes())
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
            if match := compiled.search(line):
                start, end = (
                    len(line[:at].encode("utf-8", "surrogateescape")) + 1
                    for at in (match.start(), match.end())
                )
                found.append((os.fsdecode(path), number, start, end))
    return found


def found(tree: Tree, pattern: str, *flags: str) -> list[tuple[str, int, int, int]]:
    hits = tree.query(pattern, "--regex", "-l", "0", *flags)["hits"] if pattern else []
    return [
        (hit["path"], match["line"], match["column"], match["end_column"])
        for hit in hits
        for match in hit["matches"]
    ]


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern], ids=ascii)
def test_the_lines_are_those_of_a_plain_search(tree: Tree, snapshot: Snapshot, pattern: str) -> None:
    assert found(tree, pattern) == expected(tree, snapshot, pattern)


parts = st.sampled_from(
    [
        "needle", "Needle", "need", "_needle", "self", "get_", "x", "\u00ef", " ", ".", r"\w", r"\s", r"\b", r"\B",
        "^", "$",
        r"\.", r"\(", "[a-z]", "[^a-z]", "|", "(?:", ")", "?", "*", "+", "{2}", "{1,3}", "(?i)", "TODO", "filler",
    ]
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(parts, min_size=1, max_size=7))
def test_any_pattern_finds_the_same_as_a_plain_search(
    tree: Tree, snapshot: Snapshot, pieces: list[str]
) -> None:
    pattern = "".join(pieces)
    try:
        re.compile(pattern)
    except re.error:
        assert tree.run("query", "--regex", "--", pattern).code == 2
        return
    if pattern.strip():
        assert found(tree, pattern) == expected(tree, snapshot, pattern)


def test_a_limit_cuts_the_same_list_and_says_so(tree: Tree) -> None:
    every = tree.query("needle", "--regex", "-l", "0")
    first = tree.query("needle", "--regex", "-l", "2")
    assert first["hits"] == every["hits"][:2]
    assert (first["more"], every["more"]) == (True, False)
    assert "only the first 2" in tree.run("query", "--regex", "-l", "2", "needle").err


def test_filters_leave_lines_out_and_change_none(tree: Tree) -> None:
    every = tree.query("needle", "--regex", "-l", "0")["hits"]
    for flags, kept in (
        (["--language", "python"], lambda path: path.endswith(".py")),
        (["--path-filter", "a/", "--exclude-path", "two.py"], lambda path: path == "a/one.py"),
        (["--path-filter", "*.txt", "--path-filter", "!w*"], lambda p: p.endswith(".txt") and p[0] != "w"),
    ):
        hits = tree.query("needle", "--regex", "-l", "0", *flags)["hits"]
        assert hits == [hit for hit in every if kept(hit["path"])]
        assert hits


def test_what_the_index_narrows_to_is_less_than_all(snapshot: Snapshot) -> None:
    from cidx.api.query import Filters
    from cidx.search import lines, pattern

    def paths(source: str) -> set[str]:
        candidates = lines.candidates(snapshot, pattern.parse(source), Filters())
        return {os.fsdecode(file.path) for file in candidates.files}

    assert paths(r"\bsys\b") == {"a/one.py"}
    # In the word that is too long for the index there may be anything.
    assert paths("TODO") == {"a/one.py", "long.txt"}
    assert len(paths(r"\d+")) == len(snapshot.catalogue.languages())


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Files of many chunks, of which few have a needle, settled before they are indexed; two in other encodings."""
    body = [f"def f{n}():\n    größe = {n}  # {'x' * 90}\n" + "    pass\n" * 60 for n in range(40)]
    body[7] += "    return 'needle'\n"
    body[30] += "    # needle, and a needle_too\n"
    text = "\n".join(body)
    files = {"utf8.py": text, "marked.py": text.encode("utf-8-sig"), "latin.py": text.encode("latin-1")}
    tree = Tree(tmp_path_factory.mktemp("long")).write(files)
    for name in files:
        os.utime(tree.root / name, (1e9, 1e9))
    time.sleep(0.05)  # so that no change could hide behind the same clock tick, which nothing but time tells
    tree.index()
    return tree


@pytest.mark.parametrize("pattern", ["needle", r"needle_\w+", r"return 'needle'$", "größe = 3[05]"])
def test_what_is_looked_through_decides_about_no_line(
    long: Tree, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cidx.search import lines
    from cidx.search.files import Texts

    read: list[bytes] = []
    whole = Texts.read
    monkeypatch.setattr(Texts, "read", lambda self, path: read.append(path) or whole(self, path))
    with long.snapshot() as snapshot:
        wanted = expected(long, snapshot, pattern)
    assert len(wanted) >= 3
    assert found(long, pattern) == wanted
    assert set(read) == {b"latin.py", b"marked.py"}
    monkeypatch.setattr(lines, "_MOST_LOOKED_UP", 0)
    assert found(long, pattern) == wanted


def test_a_list_of_all_terms_narrows_as_the_look_through_them_does(tree: Tree) -> None:
    """Whoever asks again is answered from a list that the first question does without."""
    from cidx.store.parts import Edge, Part

    parts = [
        Part(letters, left, right, any_case)
        for letters in ("needle", "eedl", "s", "sieve", "istanbul", "get", "other", "ïve")
        for left in Edge
        for right in Edge
        for any_case in (False, True)
    ]
    warm = tree.snapshot().fulltext
    for part in parts:
        first = tree.snapshot().fulltext.holding([], [part], most=1000)
        assert warm.holding([], [part], most=1000) == first, part


def test_a_changed_file_is_searched_as_it_is_now(changed: Tree) -> None:
    hits = changed.query("needle", "--regex", "-l", "0")["hits"]
    assert [
        (hit["path"], [match["line"] for match in hit["matches"]], hit.get("stale", False)) for hit in hits
    ] == [
        ("kept.py", [1], False),
        ("longer.py", [1], False),
        ("longer.py", [5], True),
    ]


@pytest.fixture
def changed(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "old").write(
        {"kept.py": "needle\n", "longer.py": "needle\n", "gone.py": "needle\n"}
    )
    tree.commit().index()
    tree.run("config", "set", "daemon.auto_index", "false")
    tree.write({"longer.py": "needle\n\n\n\nneedle\n"})
    (tree.root / "gone.py").unlink()
    return tree


def test_a_link_that_took_the_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "linked").write({"sub/a.py": "needle\n"})
    tree.commit().index()
    tree.run("config", "set", "daemon.auto_index", "false")
    outside = tmp_path / "outside"
    (tree.root / "sub").rename(outside)
    (tree.root / "sub").symlink_to(outside)
    assert found(tree, "needle") == []


def test_the_pattern_error_is_an_error_of_the_query(tree: Tree) -> None:
    ran = tree.run("query", "--regex", "a(b")
    assert ran.code == 2
    assert "unterminated subpattern at position 2" in ran.err
    assert "[bad-query]" in ran.err
