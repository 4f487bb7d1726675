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
]  # fmt: skip
LINES = [["query", *flags, "--", text] for flags, text in itertools.product(FLAGS, TEXTS)]
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
