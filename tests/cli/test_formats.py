"""How hits are written: for people, for editors, for scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cidx.api.answer import Hit, Match
from cidx.cli.columns import cut, width
from cidx.cli.session import Terminal
from cidx.cli.snippet import best_line, matching, snippet
from tests.kit import Tree

FILES = {
    "pkg/session.py": "import time\n\n\nclass Session:\n    @property\n    def expired(self):\n"
    + "        # filler\n" * 12
    + "        return self.age > limit_of_age\n",
    "pkg/other.py": "limit_of_age = 3\n",
    "b c.md": "# Age\n\nThe limit_of_age is three.\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("formats")).write(FILES).commit()
    tree.index()
    return tree


def hit(text: str, *, symbol: str = "", first: int = 1, lines: tuple[int, ...] = ()) -> Hit:
    return Hit(
        path="a.py", start_line=first, end_line=first + text.count("\n"), language="python", symbol=symbol,
        score=1.0, matched_by=(), scores={}, text=text, matches=tuple(Match(line, 1, 2) for line in lines),
    )  # fmt: skip


def check(lines: list[tuple[int, str, bool]], expected: str) -> None:
    """`3>` is a line that fits, `3` one that is only shown."""
    assert " ".join(f"{number}{'>' * fits}" for number, _, fits in lines) == expected


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("a\nb\nneedle\nc\nd", 9, "10 11 12> 13 14"),
        ("a\nb\nneedle\nc\nd", 1, "12>"),
        ("a\nb\nneedle\nc\nd", 2, "11 12>"),
        ("def f():\nb\nc\nd\nneedle", 2, "10 14>"),
        ("@x\ndef f():\nb\nc\nd\nneedle", 3, "11 14 15>"),
        ("def f(): needle\nb\nc\nd\ne", 2, "10> 11"),
        ("a\nb\nc", 2, "10 11"),
        ("needle needle other\nneedle\nb", 3, "10> 11 12"),
    ],
)
def test_the_lines_that_fit_below_the_one_that_names_it(text: str, count: int, expected: str) -> None:
    check(snippet(hit(text, symbol="C.f", first=10), ["needle", "other"], count), expected)


@pytest.mark.parametrize(
    ("lines", "count", "expected"),
    [((12, 14), 6, "10 12> 14>"), ((12, 14), 2, "10 12>"), ((12, 14), 1, "12>"), ((10, 12), 6, "10> 12>")],
)
def test_of_lines_that_match_only_these(lines: tuple[int, ...], count: int, expected: str) -> None:
    check(matching(hit("def f():\nb\nc\nd\ne", symbol="f", first=10, lines=lines), count), expected)


def test_the_best_line_has_the_column_of_its_first_word() -> None:
    line, column = best_line(hit("x\n    é a needle\n"), ["needle"])
    assert (line.number, column) == (2, 10)
    line, column = best_line(hit("  x\ny"), ["needle"])
    assert (line.number, column) == (1, 3)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("👍", 2), ("", 0), ("é", 1), ("\u200b", 0)],
)
def test_how_wide_text_is(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("漢字漢", 5, "漢字…"),
        ("漢字漢", 4, "漢…"),
        ("abc", 0, "abc"),
    ],
)
def test_what_fits(text: str, room: int, expected: str) -> None:
    assert cut(text, room) == expected


def test_no_line_is_wider_than_the_terminal(tmp_path: Path) -> None:
    tree = Tree(tmp_path).write({"wide.md": "needle " + "漢字" * 60 + "\n"})
    tree.index()
    ran = tree.run("query", "needle", terminal=Terminal(columns=50, out_is_terminal=True))
    (line,) = [line for line in ran.out.splitlines() if "needle" in line and "漢" in line]
    assert width(line) <= 50
    assert line.endswith("…")


def test_lines_that_fit_are_marked_with_and_without_colour(tree: Tree) -> None:
    line = "query", "--fts", "limit_of_age", "--path-filter", "session.py", "--snippet-lines", "3"
    assert "     4  class Session:\n" in tree.run(*line).out
    assert "    19>         return self.age > limit_of_age\n" in tree.run(*line).out
    painted = tree.run(*line, terminal=Terminal(colour=True, out_is_terminal=True)).out
    assert "\x1b[1;32m    19>\x1b[0m " in painted
    assert "\x1b[2m     4 \x1b[0m " in painted


def test_vimgrep_is_what_quickfix_lists_read(tree: Tree) -> None:
    out = tree.run("query", "--regex", "limit_of_age", "--format", "vimgrep").out
    assert out.splitlines() == [
        "b c.md:3:5:The limit_of_age is three.",
        "pkg/other.py:1:1:limit_of_age = 3",
        "pkg/session.py:19:27:        return self.age > limit_of_age",
    ]
    below = tree.run("query", "--regex", "limit", "--format", "vimgrep", directory=tree.root / "pkg").out
    assert below.splitlines()[0].startswith("../b c.md:3:5:")
    ranked = tree.run("query", "limit_of_age", "--format", "vimgrep", "--path-filter", "other.py").out
    assert ranked == "pkg/other.py:1:1:limit_of_age = 3\n"
    assert tree.run("symbols", "expired", "--format", "vimgrep").out == (
        "pkg/session.py:6:9:    def expired(self):\n"
    )


def test_paths_are_named_once(tree: Tree) -> None:
    out = tree.run("query", "--regex", "a", "-l", "0", "--format", "paths").out
    assert out.splitlines() == ["b c.md", "pkg/other.py", "pkg/session.py"]


def test_jsonl_is_a_hit_a_line_and_the_same_each_time(tree: Tree) -> None:
    out = tree.run("query", "limit_of_age", "--format", "jsonl").out
    hits = [json.loads(line) for line in out.splitlines()]
    assert hits == tree.query("limit_of_age")["hits"]
    assert tree.run("query", "limit_of_age", "--format", "jsonl").out == out
    ran = tree.run("query", "--format", "jsonl", "")
    assert json.loads(ran.out)["error"]["code"] == "bad-query"


def test_nothing_found_is_said_to_people_only(tree: Tree) -> None:
    for format_ in ("text", "vimgrep", "paths", "jsonl"):
        ran = tree.run("query", "--fts", "xyzzyq", "--format", format_)
        assert (ran.code, ran.out) == (1, "")
        assert ("nothing found" in ran.err) == (format_ == "text")


def test_the_time_is_broken_down(tree: Tree) -> None:
    ran = tree.run("query", "--timing", "age")
    assert ran.out == tree.run("query", "age").out
    for name in ("freshness", "candidates", "ranking", "reading", "rendering", "by the process"):
        assert name in ran.err
    answer = tree.query("age", "--timing")
    names = {"freshness_ms", "candidates_ms", "ranking_ms", "reading_ms", "rendering_ms", "kept"}
    assert set(answer["timing"]) >= names
    assert not any(" " in name for name in answer["timing"])
    assert "timing" not in tree.query("age")


@pytest.mark.parametrize(
    "flags",
    [
        ("--regex", "--semantic"), ("--regex", "--fuzzy"), ("--regex", "--edit-distance", "1"),
        ("--semantic", "--fuzzy"),
        ("--semantic", "--case-sensitive"), ("--fuzzy", "--case-sensitive"), ("--edit-distance", "3"),
        ("--min-score", "1.5"), ("--accuracy", "best"), ("--format", "xml"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_with_the_next_step(tree: Tree, flags: tuple[str, ...]) -> None:
    ran = tree.run("query", *flags, "x")
    assert (ran.code, ran.out) == (2, "")
    assert "[usage]" in ran.err
    assert "next: " in ran.err


def test_what_goes_together_is_taken(tree: Tree) -> None:
    for flags in (
        ("--regex", "--fts"),
        ("--regex", "--case-sensitive"),
        ("--fts", "--fuzzy", "--edit-distance", "2"),
    ):
        assert tree.run("query", *flags, "limit_of_age").code == 0


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    tree = Tree(tmp_path).write({f"many/{number}.txt": "needle " * 50 + "\n" for number in range(900)})
    tree.index()
    command = f"{sys.executable} -m cidx query --regex needle -l 0 | head -n 1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", command],
        cwd=tree.root,
        env=tree.process_environment(PYTHONPATH=os.fspath(Path(__file__).parents[2])),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[1] == "0"
    assert ran.stderr == ""
