"""The daemon gives the bytes and the exit code that a process gives, for every command line."""

import itertools
import json
from collections.abc import Iterator

import pytest

from tests.daemon.kit import Daemon, serving
from tests.kit import Ran, Tree

FILES: dict[str, str | bytes] = {
    "pkg/login.py": "def check_password(user):\n    return user.password == 1\n\n\nclass Login:\n    pass\n",
    "pkg/login_test.py": "def test_check_password():\n    assert check_password(None)\n",
    "web/page.ts": "export function renderPage(title: string) {\n  return title;\n}\n",
    "docs/guide.md": "# Guide\n\nHow a password is checked.\n\n## Pages\n\nRendered.\n",
    "evil.txt": "password \x1b[2J\x07\r\n",
    "caf\u00e9.txt": "password na\u00efve\n",
    "long.txt": "password " * 60 + "\n" + "filler\n" * 40,
}

TEXTS = [
    "password",
    "check_password",
    "render page title",
    "xyzzyq",
    "",
    " ",
    "'\"(",
    "\udcff",
    "caf\u00e9",
    "-x",
    '"check a"',
    '"password" user',
    "(?i)PASS\\w+",
    "pa(ss",
]
FLAGS: list[list[str]] = [
    [], ["--fts"], ["--semantic"], ["--fts", "--semantic"], ["-l", "0"], ["-l", "1"], ["-l", "-1"], ["-l", "x"],
    ["-q"], ["--quiet", "-l", "2"], ["--json"], ["--format", "json"], ["--format", "text"], ["--format", "xml"],
    ["--language", "py"], ["--language", "python", "--language", "md"], ["--language", "pyton"],
    ["--exclude-language", "python"], ["--path-filter", "pkg/"],
    ["--path-filter", "*.py", "--path-filter", "!*_test.py"],
    ["--exclude-path", "docs"], ["--snippet-lines", "0"], ["--snippet-lines", "1"], ["--snippet-lines", "99"],
    ["--standalone"], ["--nonsense"], ["--help"], ["--version"], ["-C", "pkg"], ["-C", "/nonexistent"],
    ["-C", "pkg", "-q"], ["--json", "--language", "nope"], ["--json", "-l", "0", "--fts"],
    ["--regex"], ["--regex", "--json", "-l", "0"], ["--regex", "-l", "1"],
    ["--regex", "--format", "vimgrep", "-C", "pkg"],
    ["--regex", "--fts"], ["--regex", "--semantic"], ["--regex", "--fuzzy"], ["--regex", "--case-sensitive"],
    ["--fuzzy"], ["--fuzzy", "--json"], ["--edit-distance", "2"], ["--edit-distance", "0"], ["--edit-distance", "3"],
    ["--fuzzy", "--semantic"], ["--case-sensitive"], ["--case-sensitive", "--fuzzy"], ["--fts", "--json", "-l", "0"],
    ["--min-score", "0.3"], ["--min-score", "0.3", "-l", "0", "-q"], ["--min-score", "2"], ["--accuracy", "fast"],
    ["--accuracy", "high", "--language", "python", "--min-score", "0.1", "--json"], ["--accuracy", "best"],
    ["--format", "jsonl"], ["--format", "jsonl", "--regex"], ["--format", "vimgrep"], ["--format", "paths"],
    ["--format", "paths", "-C", "docs"], ["-q", "--format", "paths"], ["--json", "--format", "paths"],
]  # fmt: skip
LINES = [["query", *flags, "--", text] for flags, text in itertools.product(FLAGS, TEXTS)]
# Of the other commands: what they are asked, and how.
NAMES = [
    "check_password",
    "check",
    "Login",
    "login.Login",
    "renderPage",
    "nothing_like_it",
    "",
    "%",
    "None",
    "\udcff",
]
PLACES = [
    "pkg/login.py:1", "pkg/login.py:2-3", "login.py:1", "pkg/login.py:0", "pkg/login.py:99", "nope.py:1",
    "pkg/login.py", "caf\u00e9.txt:1", "../x:1", "/etc/passwd:1", ":1", "",
]  # fmt: skip
HOW: list[list[str]] = [
    [], ["--json"], ["-q"], ["-l", "0"], ["-l", "1"], ["--format", "vimgrep"], ["--format", "jsonl"],
    ["--format", "paths"], ["--kind", "call"], ["--kind", "class", "--json"], ["--case-sensitive"],
    ["--language", "python"], ["-C", "pkg"],
    ["--exclude-path", "*_test.py", "--json"], ["--min-score", "0.5"], ["--accuracy", "high"], ["--help"], ["--fts"],
]  # fmt: skip
LINES += [
    ["query"],
    ["query", "a", "b", "c"],
    ["-C", "pkg", "query", "-q", "password"],
    ["query", "password", "-q", "-h"],
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    tree = Tree(tmp_path_factory.mktemp("parity")).write(FILES).commit()
    tree.index()
    with serving(tree) as found:
        yield found


def told(ran: Ran) -> tuple[int, str]:
    """What has to be equal: who answered and how long it took may differ."""
    try:
        answer = json.loads(ran.out)
    except ValueError:
        return ran.code, ran.out
    if isinstance(answer, dict):
        answer.pop("served_by", None)
        answer.pop("took_ms", None)
    return ran.code, json.dumps(answer)


def queries(daemon: Daemon) -> int:
    return int(json.loads(daemon.ask("get_status"))["queries"])


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_every_flag_gives_the_same(daemon: Daemon, text: str) -> None:
    lines = [line for line in LINES if line[-1] == text]
    before = queries(daemon)
    for line in lines:
        assert told(daemon.run(*line)) == told(daemon.tree.run(*line)), line
    assert queries(daemon) == before + len(lines)


@pytest.mark.parametrize("command", ["symbols", "refs", "similar"])
def test_every_command_that_reads_gives_the_same(daemon: Daemon, command: str) -> None:
    asked = PLACES if command == "similar" else NAMES
    lines = [[command, *how, "--", text] for how, text in itertools.product(HOW, asked)]
    before = queries(daemon)
    for line in lines:
        here, there = daemon.tree.run(*line), daemon.run(*line)
        assert told(there) == told(here), line
        assert there.err == here.err, line
    assert queries(daemon) == before + len(lines)


def test_timing_says_who_answered_and_is_not_an_answer_kept(daemon: Daemon) -> None:
    for _ in range(2):
        ran = daemon.run("query", "--timing", "password")
        assert "freshness" in ran.err
        assert "by the daemon" in ran.err
        timing = daemon.run("query", "--timing", "--json", "password").json["timing"]
        assert timing["rendering_ms"] > 0
    assert timing["kept"] is True
    assert ran.out == daemon.run("query", "password").out


def test_lines_without_a_separator_give_the_same(daemon: Daemon) -> None:
    for line in LINES[-4:]:
        assert told(daemon.run(*line)) == told(daemon.tree.run(*line)), line


def test_the_daemon_says_that_it_answered(daemon: Daemon) -> None:
    assert daemon.run("query", "--json", "password").json["served_by"] == "daemon"


def test_errors_and_notes_give_the_same_text(daemon: Daemon) -> None:
    for line in (
        ["query", ""],
        ["query", "--nonsense"],
        ["query", "--fts", "xyzzyq"],
        ["query", "--language", "pyton", "x"],
    ):
        assert daemon.run(*line).err == daemon.tree.run(*line).err


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_gives_the_same(daemon: Daemon, columns: int) -> None:
    from cidx.cli.session import Terminal

    for environment in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
        here = daemon.tree.run(
            "query",
            "password",
            environment=environment,
            terminal=Terminal.of(environment, columns=columns, out_is_terminal=True, err_is_terminal=True),
        )
        there = daemon.run("query", "password", environment=environment, columns=columns, terminal=True)
        assert (there.code, there.out) == (here.code, here.out)
