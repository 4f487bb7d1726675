"""Finding the right lines: modes, filters, limits, and queries of any kind."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit import Tree

CODE = {
    "auth/login.py": "def check_password(user, password):\n    return hash_of(password) == user.password_hash\n",
    "auth/session.py": "class SessionStore:\n    def expire_sessions(self):\n        self.sessions.clear()\n",
    "web/render.ts": "export function renderPage(title: string) {\n  return `<h1>${title}</h1>`;\n}\n",
    "docs/guide.md": "# Guide\n\nHow sessions expire, and how a password is checked.\n",
    "empty.py": "",
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("search")).write(CODE).commit()
    tree.index()
    return tree


@pytest.mark.parametrize("mode", [(), ("--fts",), ("--semantic",), ("--fts", "--semantic")])
def test_every_mode_finds_the_function(searched: Tree, mode: tuple[str, ...]) -> None:
    assert searched.paths("check_password", *mode)[0] == "auth/login.py"


def test_parts_of_names_are_found(searched: Tree) -> None:
    assert searched.paths("page render")[0] == "web/render.ts"
    assert searched.paths("RENDER_PAGE")[0] == "web/render.ts"


def test_a_hit_says_what_matched_and_how_well(searched: Tree) -> None:
    hit = searched.query("expire_sessions")["hits"][0]
    assert hit["path"] == "auth/session.py"
    assert (hit["start_line"], hit["end_line"], hit["language"]) == (1, 3, "python")
    assert hit["matched_by"] == ["semantic", "fts"]
    assert set(hit["scores"]) == {"semantic", "fts"}
    assert 0 < hit["score"] <= 1


def test_filters_leave_out_and_never_reorder(searched: Tree) -> None:
    everything = searched.query("password sessions", "-l", "0")["hits"]
    python = searched.query("password sessions", "-l", "0", "--language", "py")["hits"]
    assert python == [hit for hit in everything if hit["language"] == "python"]
    assert {hit["path"] for hit in python} == {"auth/login.py", "auth/session.py"}
    assert searched.paths("password", "--path-filter", "docs/") == ["docs/guide.md"]


def test_a_limit_cuts_the_same_list(searched: Tree) -> None:
    everything = searched.query("password sessions page", "-l", "0")["hits"]
    for limit in range(1, len(everything) + 1):
        assert searched.query("password sessions page", "-l", str(limit))["hits"] == everything[:limit]


def test_nothing_found_is_exit_1(searched: Tree) -> None:
    ran = searched.run("query", "--fts", "xylophone")
    assert (ran.code, ran.out) == (1, "")


@pytest.mark.parametrize(
    "text",
    [
        "'", '"', '"unclosed phrase', "a:b", "body:x", "(", ")", "[1 TO 2]", "AND", "a AND", "OR NOT", "*", "a*", "~2",
        "a^9", "\\", "--", "-x", "😀", "日本語 テキスト", "\x01", "\t\n x", "a" * 5000, "fn(x) -> y;", "%s %d",
        "caf\u00e9", "\udcff broken", "/* x */", "<html>", "{'a': 1}", "$HOME", "`ls`", "+1 -1", "field:[* TO *]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["--fts", "--semantic", ""])
def test_no_text_breaks_a_query(searched: Tree, text: str, mode: str) -> None:
    ran = searched.run("query", "--json", *([mode] if mode else []), "--", text)
    assert ran.code in (0, 1), ran
    assert isinstance(ran.json["hits"], list)


def test_a_pasted_log_is_a_query(searched: Tree) -> None:
    log = "\n".join(
        f"2026-11-20T10:{n:02}:00 worker[{n}]: password check failed for user{n}" for n in range(200)
    )
    assert len(log) > 10_000
    assert "auth/login.py" in searched.paths(log)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(min_size=1, max_size=200))
def test_any_unicode_is_a_query(searched: Tree, text: str) -> None:
    ran = searched.run("query", "--json", "--", text)
    assert ran.code in ((0, 1) if text.strip() else (2,)), ran


def test_the_same_query_gives_the_same_answer(searched: Tree) -> None:
    answers = [searched.query("password sessions page title")["hits"] for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_many_equal_chunks_do_not_hide_others(tree: Tree) -> None:
    """A filter finds its file even where hundreds of better chunks are filtered out."""
    tree.write({f"copy{n}.py": f"needle = {n}  # needle needle\n" for n in range(700)})
    tree.write(
        {"other/far.go": "package far\n\nvar unrelated, words, and, one, needle = 1, 2, 3, 4, 5\n"}
    ).commit()
    tree.index()
    for mode in ((), ("--fts",), ("--semantic",)):
        assert tree.paths("needle", "--language", "go", *mode) == ["other/far.go"]


def test_a_removed_file_is_no_hit_even_when_nothing_is_indexed(tree: Tree) -> None:
    tree.write({"a.py": "def needle(): ...\n", "b.py": "needle()\n"}).commit()
    tree.index()
    (tree.root / "a.py").unlink()
    ran = tree.run("query", "--json", "needle", environment={"CIDX_DAEMON_AUTO_INDEX": "false"})
    assert [hit["path"] for hit in ran.json["hits"]] == ["b.py"]
    assert (ran.json["fresh"], ran.json["changed_files"]) == (False, 1)


def test_lines_that_changed_since_are_marked(tree: Tree) -> None:
    tree.write({"a.py": "def needle(): ...\n"}).commit()
    tree.index()
    tree.write({"a.py": "def other(): ...\n"})
    quiet = {"CIDX_DAEMON_AUTO_INDEX": "false"}
    (hit,) = tree.run("query", "--json", "needle", environment=quiet).json["hits"]
    assert hit["stale"] is True
    assert hit["text"] == "def other(): ..."
    shown = tree.run("query", "needle", environment=quiet)
    assert "changed since it was indexed" in shown.out
    assert "1 file has changed" in shown.err
